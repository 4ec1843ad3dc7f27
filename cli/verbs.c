/* SPDX-License-Identifier: Apache-2.0 */
/* verbs.c - the one table of verbs. */
#include "cli/cli.h"

#include "common/checked.h"
#include "vtl/control/daemon.h"

#define ANY 1000000

#define VERB(text, operands, min, max, json, name, summary, detail)                                \
    {                                                                                              \
        text, operands, min, max, summary, detail, verb_##name##_options, json, verb_##name, NULL  \
    }

static const char place_detail[] =
    "A place is slot:N or ie:N (from 1), drive:N (from 0), the barcode of a cartridge, or the\n"
    "address of an element.";

static const struct cli_verb verbs[] = {
    VERB("init", "", 0, 0, true, init, "make a new library", NULL),
    VERB("serve", "[ROOT...]", 0, DAEMON_LIBRARIES_MAX, false, serve,
         "run one library or several: serve drives and changers by iSCSI",
         "Each library is a target of its own; they share the portals that they both name.\n"
         "It ends politely on SIGTERM and SIGINT, and by 'capstan stop'."),
    VERB("stop", "", 0, 0, false, stop,
         "end the daemon of the library politely, with all that it serves", NULL),
    VERB("reload", "", 0, 0, true, reload,
         "have the daemon read capstan.conf again: access, views, CHAP, redirect",
         "Sessions of initiators that are no longer let in are closed; the others go on.\n"
         "SIGHUP does the same for all libraries of a daemon that was started with --detach."),
    VERB("status", "", 0, 0, true, status, "show drives, slots, cartridges and sessions", NULL),
    VERB("cartridge create", "BARCODE...", 1, ANY, true, cartridge_create, "make empty cartridges",
         "A SIZE is a number of bytes; it may end in K, M, G, T (powers of 1000) or in KiB, MiB, "
         "GiB,"
         "\nTiB (powers of 1024)."),
    VERB("cartridge list", "", 0, 0, true, cartridge_list, "list the cartridges of the library",
         NULL),
    VERB("cartridge show", "BARCODE", 1, 1, true, cartridge_show, "show all about one cartridge",
         NULL),
    VERB("cartridge verify", "BARCODE...", 1, ANY, true, cartridge_verify,
         "read cartridges wholly and check every record",
         "It ends with 1 if anything is damaged, and with 3 if something could not be checked."),
    VERB("cartridge scrub", "BARCODE", 1, 1, true, cartridge_scrub,
         "read a cartridge at leisure, and remember what is damaged",
         "It goes on where it was interrupted.  Damaged blocks are in quarantine until they are\n"
         "overwritten, or found good by another scrub."),
    VERB("cartridge export", "BARCODE FILE|-", 2, 2, true, cartridge_export,
         "write a cartridge as one stream of bytes",
         "Only the format capstan holds everything.  A file that is there is not replaced."),
    VERB("cartridge import", "FILE|- BARCODE", 2, 2, true, cartridge_import,
         "make a cartridge of a stream",
         "The cartridge appears in the library when all of the stream has been found good."),
    VERB("cartridge clone", "SOURCE BARCODE", 2, 2, true, cartridge_clone,
         "make another cartridge with the same contents",
         "On btrfs, xfs and the like both share their bytes until one is overwritten: it takes no "
         "time\nand no room.  What a writer has not synchronised yet does not come along."),
    VERB("cartridge undo", "BARCODE", 1, 1, true, cartridge_undo,
         "go back to what was on a cartridge before it was overwritten",
         "What is taken off the tape by that is kept in turn: 'undo' again does it again."),
    VERB("cartridge retention", "BARCODE", 1, 1, true, cartridge_retention,
         "show or set how long overwritten data is kept for undo",
         "Without options it is only shown.  It goes with the next change of the tape."),
    VERB("cartridge rebuild", "BARCODE", 1, 1, true, cartridge_rebuild,
         "make the map of a cartridge again that has lost both copies of it",
         "The cartridge is write-protected afterwards; see doc/cartridge-format.md for what is "
         "lost."),
    VERB("cartridge vault", "CARTRIDGE PLACE", 2, 2, true, cartridge_vault,
         "put a cartridge away: out of the library, but known",
         "PLACE is any text that says where it is, as in 'safe B, shelf 3'."),
    VERB("cartridge unvault", "BARCODE", 1, 1, true, cartridge_unvault,
         "bring a cartridge back into the library", NULL),
    VERB("cartridge vaulted", "", 0, 0, true, cartridge_vaulted,
         "list the cartridges that are put away", NULL),
    VERB("cartridge protect", "CARTRIDGE SWITCH", 2, 2, true, cartridge_protect,
         "slide the write-protect tab of a cartridge", "SWITCH is on or off."),
    VERB("cartridge tag", "CARTRIDGE [TAG]", 1, 2, true, cartridge_tag,
         "show, give or take away the alternate volume tag of a cartridge",
         "Hosts read it with READ ELEMENT STATUS and find the cartridge by it; it stays with the\n"
         "cartridge wherever it goes.  Without TAG it is only shown."),
    VERB("cartridge delete", "BARCODE", 1, 1, true, cartridge_delete,
         "destroy a cartridge and all that is on it", NULL),
    VERB("drive list", "", 0, 0, true, drive_list, "list the drives", NULL),
    VERB("drive add", "", 0, 0, true, drive_add, "put one more drive into the library",
         "Hosts see its LUN appear; sessions go on."),
    VERB("drive remove", "DRIVE", 1, 1, true, drive_remove, "take an empty drive out",
         "Its LUN is gone, and commands under way end.  The others keep their numbers."),
    VERB("drive eject", "DRIVE", 1, 1, true, drive_eject, "press the eject button of a drive",
         "The cartridge stays in the drive until it is moved."),
    VERB("slot list", "", 0, 0, true, slot_list, "list slots and import/export elements", NULL),
    VERB("slot add", "[COUNT]", 0, 1, true, slot_add, "add slots behind the last", NULL),
    VERB("slot remove", "[COUNT]", 0, 1, true, slot_remove,
         "remove the last slots, which are empty", NULL),
    VERB("slot import", "BARCODE", 1, 1, true, slot_import,
         "put a cartridge of the vault into an import/export element",
         "Hosts are told that somebody was there; their robot fetches it."),
    VERB("slot export", "PLACE", 1, 1, true, slot_export,
         "take the cartridge out of an import/export element", NULL),
    VERB("library show", "", 0, 0, true, library_show, "show what the library is made of", NULL),
    VERB("library inventory", "", 0, 0, true, library_inventory,
         "look whether every cartridge is where it should be", NULL),
    {"fault set", "NAME", 1, 1, "disturb the running library on purpose",
     "Only the options named behind a fault make sense with it, and --rate and --count with each.\n"
     "Faults are gone when the daemon ends.",
     verb_fault_set_options, true, verb_fault_set, verb_fault_set_more},
    VERB("fault clear", "[FAULT]", 0, 1, true, fault_clear, "heal it",
         "FAULT is the number of a fault, or a name; without it, all are cleared."),
    VERB("fault list", "", 0, 0, true, fault_list, "list faults", NULL),
    VERB("move", "FROM TO", 2, 2, true, move, "carry a cartridge from one place to another",
         place_detail),
    VERB("load", "CARTRIDGE [DRIVE]", 1, 2, true, load, "carry a cartridge into a drive",
         "CARTRIDGE is a barcode or a slot, DRIVE the number of a drive; without it, the first "
         "empty\n"
         "one."),
    VERB("unload", "[DRIVE]", 0, 1, true, unload, "carry the cartridge of a drive back to its slot",
         NULL),
    VERB(
        "dump", "DIRECTORY", 1, 1, true, dump, "write a directory tree to tape, at level 0",
        "Without --tape the daemon must run: the dump goes by iSCSI to one of its drives, and the\n"
        "robot brings the cartridges.  Nothing is ever overwritten: a dump begins at the end of "
        "the\n"
        "recorded data, or on a blank cartridge."),
    VERB("restore", "IMAGE DESTINATION [PATH...]", 1, ANY, true, restore,
         "bring a dump, or parts of it, back from tape",
         "IMAGE is 'latest' or the beginning of an image's identifier ('capstan catalog list').  "
         "With\n"
         "--tape there is no IMAGE: the dump is read from that tape, without the catalog.\n"
         "A PATH begins below the directory that was dumped; its parts may be patterns: "
         "'*/copyright'."),
    VERB("catalog list", "", 0, 0, true, catalog_list, "list the images", NULL),
    VERB("catalog show", "IMAGE", 1, 1, true, catalog_show, "show an image and where it is on tape",
         NULL),
    VERB("catalog files", "IMAGE [DIRECTORY]", 1, 2, true, catalog_files,
         "list a directory of an image", NULL),
    VERB("catalog rebuild", "", 0, 0, true, catalog_rebuild,
         "read all cartridges and add the images that are missing", NULL),
    VERB("catalog check", "", 0, 0, true, catalog_check, "check every database of the catalog",
         NULL),
    VERB("catalog delete", "IMAGE", 1, 1, true, catalog_delete,
         "forget an image; its data stays on tape", NULL),
    VERB("personality list", "", 0, 0, true, personality_list,
         "list the models that a drive or a library can be", NULL),
    VERB("personality show", "NAME", 1, 1, true, personality_show, "show all about one model",
         NULL),
    VERB("mount", "DIRECTORY", 1, 1, false, mount, "show all images as a read-only file system",
         "It ends when the directory is unmounted: 'fusermount3 -u DIRECTORY'."),
    VERB("exec", "COMMAND [ARGUMENT...]", 1, ANY, false, exec,
         "run a program that sees the drives and the changer below /dev",
         "The program finds /dev/sg0 (the changer), /dev/sg1 (drive 0) and so on, /dev/nst0 and\n"
         "/dev/st0 (drive 0) and so on, without any kernel driver.  Write -- in front of COMMAND "
         "if\n"
         "its arguments begin with a dash."),
    VERB("version", "", 0, 0, true, version, "show version and features of this build", NULL),
    VERB("help", "[VERB...]", 0, 2, true, help, "explain a verb, or list them all", NULL),
};

const struct cli_verb *cli_verbs(size_t *count)
{
    *count = ARRAY_LENGTH(verbs);
    return verbs;
}

const struct cli_option *cli_common_options(void)
{
    static const struct cli_option common[] = {
        {"root", "DIRECTORY", "the library; default: $CAPSTAN_ROOT, else ~/.local/share/capstan"},
        {"json", NULL, "print JSON instead of text"},
        {"help", NULL, "explain the verb"},
        {NULL, NULL, NULL},
    };

    return common;
}
