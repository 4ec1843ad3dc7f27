/* SPDX-License-Identifier: Apache-2.0 */
/* operations.c - the table of operations and the check of their arguments: see control.h. */
#include "vtl/control/operations.h"

#include <string.h>

#include "common/checked.h"

#define ARGUMENTS_MAX 8

enum argument_kind { ARGUMENT_TEXT, ARGUMENT_INTEGER, ARGUMENT_BOOL };

struct argument {
    const char *name;
    enum argument_kind kind;
    bool required;
};

static const struct operation {
    const char *name;
    operation_fn *run;
    struct argument arguments[ARGUMENTS_MAX]; /* up to the first without a name */
} operations[] = {
    {"ping", operation_ping, {{0}}},
    {"status", operation_status, {{0}}},
    {"cartridge.create",
     operation_cartridge_create,
     {{"barcode", ARGUMENT_TEXT, true},
      {"to", ARGUMENT_TEXT, false},
      {"capacity", ARGUMENT_INTEGER, false},
      {"media", ARGUMENT_TEXT, false},
      {"worm", ARGUMENT_BOOL, false}}},
    {"cartridge.adopt",
     operation_cartridge_adopt,
     {{"barcode", ARGUMENT_TEXT, true}, {"to", ARGUMENT_TEXT, false}}},
    {"cartridge.list", operation_cartridge_list, {{0}}},
    {"cartridge.show", operation_cartridge_show, {{"barcode", ARGUMENT_TEXT, true}}},
    {"move", operation_move, {{"from", ARGUMENT_TEXT, true}, {"to", ARGUMENT_TEXT, true}}},
    {"reload", operation_reload, {{0}}},
    {"load", operation_load, {{"cartridge", ARGUMENT_TEXT, true}, {"drive", ARGUMENT_TEXT, false}}},
    {"unload", operation_unload, {{"drive", ARGUMENT_TEXT, false}}},
    {"drive.add", operation_drive_add, {{0}}},
    {"drive.remove", operation_drive_remove, {{"drive", ARGUMENT_INTEGER, true}}},
    {"drive.eject", operation_drive_eject, {{"drive", ARGUMENT_INTEGER, true}}},
    {"slot.change",
     operation_slot_change,
     {{"count", ARGUMENT_INTEGER, false},
      {"import_export", ARGUMENT_BOOL, false},
      {"remove", ARGUMENT_BOOL, false}}},
    {"slot.export",
     operation_slot_export,
     {{"from", ARGUMENT_TEXT, true}, {"place", ARGUMENT_TEXT, false}}},
    {"slot.import",
     operation_slot_import,
     {{"barcode", ARGUMENT_TEXT, true}, {"to", ARGUMENT_TEXT, false}}},
    {"library.inventory", operation_inventory, {{0}}},
    {"cartridge.vault",
     operation_vault,
     {{"cartridge", ARGUMENT_TEXT, true}, {"place", ARGUMENT_TEXT, true}}},
    {"cartridge.unvault",
     operation_unvault,
     {{"barcode", ARGUMENT_TEXT, true}, {"to", ARGUMENT_TEXT, false}}},
    {"cartridge.vaulted", operation_vault_list, {{0}}},
    {"cartridge.protect",
     operation_protect,
     {{"cartridge", ARGUMENT_TEXT, true}, {"on", ARGUMENT_BOOL, true}}},
    {"cartridge.tag",
     operation_tag,
     {{"cartridge", ARGUMENT_TEXT, true},
      {"tag", ARGUMENT_TEXT, false},
      {"sequence", ARGUMENT_INTEGER, false},
      {"remove", ARGUMENT_BOOL, false}}},
    {"cartridge.delete", operation_cartridge_delete, {{"barcode", ARGUMENT_TEXT, true}}},
    {"fault.set",
     operation_fault_set,
     {{"name", ARGUMENT_TEXT, true},
      {"cartridge", ARGUMENT_TEXT, false},
      {"drive", ARGUMENT_INTEGER, false},
      {"block", ARGUMENT_INTEGER, false},
      {"rate", ARGUMENT_INTEGER, false},
      {"count", ARGUMENT_INTEGER, false},
      {"delay", ARGUMENT_INTEGER, false}}},
    {"fault.clear", operation_fault_clear, {{"fault", ARGUMENT_TEXT, false}}},
    {"fault.list", operation_fault_list, {{0}}},
    {"fault.vocabulary", operation_fault_vocabulary, {{0}}},
    {"stop", operation_stop, {{0}}},
};

int operation_no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "there is no memory left for the answer");
}

static const struct argument *argument_find(const struct operation *op, const char *name)
{
    for (size_t i = 0; i < ARGUMENTS_MAX && op->arguments[i].name; i++)
        if (strcmp(op->arguments[i].name, name) == 0)
            return &op->arguments[i];
    return NULL;
}

static int argument_check(const struct operation *op, const struct argument *argument,
                          const json_t *value, struct error *err)
{
    static const char *const words[] = {
        [ARGUMENT_TEXT] = "a text",
        [ARGUMENT_INTEGER] = "a number >= 0",
        [ARGUMENT_BOOL] = "true or false",
    };
    bool right = argument->kind == ARGUMENT_TEXT ? json_is_string(value)
                 : argument->kind == ARGUMENT_BOOL
                     ? json_is_boolean(value)
                     : json_is_integer(value) && json_integer_value(value) >= 0;

    if (!right)
        return error_set(err, ERR_USAGE, "the argument '%s' of '%s' must be %s", argument->name,
                         op->name, words[argument->kind]);
    return 0;
}

static int arguments_check(const struct operation *op, const json_t *args, struct error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)args, name, value) {
        const struct argument *argument = argument_find(op, name);
        int rc;

        if (!argument)
            return error_set(err, ERR_USAGE, "'%s' has no argument '%.64s'", op->name, name);
        rc = argument_check(op, argument, value, err);
        if (rc)
            return rc;
    }
    for (size_t i = 0; i < ARGUMENTS_MAX && op->arguments[i].name; i++)
        if (op->arguments[i].required && !json_object_get(args, op->arguments[i].name))
            return error_set(err, ERR_USAGE, "'%s' needs the argument '%s'", op->name,
                             op->arguments[i].name);
    return 0;
}

int control_perform(struct control *control, const char *op, const json_t *args, json_t **result,
                    struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(operations); i++) {
        int rc;

        if (strcmp(operations[i].name, op) != 0)
            continue;
        rc = arguments_check(&operations[i], args, err);
        return rc ? rc : operations[i].run(control, args, result, err);
    }
    return error_set(err, ERR_USAGE, "there is no operation '%.64s'", op);
}

int operation_stop(struct control *control, const json_t *args, json_t **result, struct error *err)
{
    (void)args;
    if (!control->stop)
        return error_set(err, ERR_STATE, "no daemon is running for the library %s",
                         control->config->root);
    *result = json_pack("{sb}", "stopping", 1);
    if (!*result)
        return operation_no_memory(err);
    control->stop(control->stop_ctx);
    return 0;
}
