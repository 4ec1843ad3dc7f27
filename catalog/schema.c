/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.c - the tables of the two kinds of database, and why they are as they are.
 *
 * Names, paths and whatever else comes from a file system is a BLOB: bytes, not text.
 * Unsigned 64-bit numbers are stored as SQLite's signed ones of the same bits.
 *
 * catalog.db: image.id is never used again (AUTOINCREMENT), so the view can build inode numbers on
 * it.  change.generation rises with every transaction that changes something.
 *
 * An index is image-major and inode-keyed: a directory is one range of dent, a hard link costs one
 * row, and as a dump writes both tables in rising order they are pure appends (measured: five
 * times faster than by path, and less than half the size).  dent is WITHOUT ROWID because its rows
 * are small and its key is most of the row; inode has its number as rowid, which is the cheapest
 * key there is.
 */
#include "catalog/internal.h"

const struct db_format catalog_format = {
    .what = "catalog",
    .application_id = 0x43617043, /* "CapC" */
    .version = 1,
    .schema = "CREATE TABLE image("
              "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
              "  uuid TEXT NOT NULL UNIQUE,"
              "  host BLOB NOT NULL,"
              "  path BLOB NOT NULL,"
              "  label BLOB NOT NULL,"
              "  level INTEGER NOT NULL,"
              "  date INTEGER NOT NULL,"
              "  base TEXT NOT NULL,"
              "  ended INTEGER NOT NULL,"
              "  blocking INTEGER NOT NULL,"
              "  files INTEGER NOT NULL,"
              "  directories INTEGER NOT NULL,"
              "  bytes INTEGER NOT NULL,"
              "  stream_blocks INTEGER NOT NULL,"
              "  warnings INTEGER NOT NULL,"
              "  state INTEGER NOT NULL"
              ") STRICT;"
              "CREATE INDEX image_date ON image(date, id);"
              "CREATE TABLE part("
              "  image INTEGER NOT NULL REFERENCES image(id),"
              "  number INTEGER NOT NULL,"
              "  volume INTEGER NOT NULL,"
              "  barcode TEXT NOT NULL,"
              "  file INTEGER NOT NULL,"
              "  first_block INTEGER NOT NULL,"
              "  first_stream INTEGER NOT NULL,"
              "  stream_blocks INTEGER NOT NULL,"
              "  PRIMARY KEY(image, number)"
              ") WITHOUT ROWID, STRICT;"
              "CREATE INDEX part_barcode ON part(barcode);"
              "CREATE TABLE change(generation INTEGER NOT NULL) STRICT;"
              "INSERT INTO change VALUES(1);",
};

const struct db_format catalog_index_format = {
    .what = "file history",
    .application_id = 0x43617049, /* "CapI" */
    .version = 1,
    .schema = "CREATE TABLE about(uuid TEXT NOT NULL) STRICT;"
              "CREATE TABLE dent("
              "  dir INTEGER NOT NULL,"
              "  name BLOB NOT NULL,"
              "  ino INTEGER NOT NULL,"
              "  PRIMARY KEY(dir, name)"
              ") WITHOUT ROWID, STRICT;"
              "CREATE TABLE inode("
              "  ino INTEGER PRIMARY KEY,"
              "  mode INTEGER NOT NULL,"
              "  uid INTEGER NOT NULL,"
              "  gid INTEGER NOT NULL,"
              "  nlink INTEGER NOT NULL,"
              "  rdev INTEGER NOT NULL,"
              "  size INTEGER NOT NULL,"
              "  blocks INTEGER NOT NULL,"
              "  atime INTEGER NOT NULL,"
              "  mtime INTEGER NOT NULL,"
              "  ctime INTEGER NOT NULL,"
              "  btime INTEGER NOT NULL,"
              "  address INTEGER NOT NULL,"
              "  flags INTEGER NOT NULL,"
              "  link BLOB"
              ") STRICT;"
              "CREATE TABLE xattr("
              "  ino INTEGER NOT NULL,"
              "  name BLOB NOT NULL,"
              "  value BLOB NOT NULL,"
              "  PRIMARY KEY(ino, name)"
              ") WITHOUT ROWID, STRICT;",
};
