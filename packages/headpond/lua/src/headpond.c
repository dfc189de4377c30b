/*
** Lua as Redis 7 offers it to scripts, for a host that calls WebAssembly exports.
**
** The host is packages/headpond/src/scripting/lua-vm.ts: it loads and runs scripts through the exports below, and a
** script reaches it through the imports (`host_...`). One instance of the module holds one Lua state.
**
** Nothing crosses the border but numbers. A command that a script calls is described by the places of its arguments in
** this memory, which the host reads where they are; the host writes the reply, as RESP, into `reply_area`, and it is
** converted to Lua values here. So a call costs one crossing, whatever it passes.
*/

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lua.h"

#include "lauxlib.h"
#include "lgc.h"
#include "lobject.h"
#include "lstate.h"
#include "lstring.h"
#include "ltable.h"
#include "lualib.h"

#include "headpond.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(name) __attribute__((import_module("host"), import_name(name)))

/* ---- The host ---- */

/* Calls `headpond_invoke(f, L, ud)` and returns when it returns or throws. */
IMPORT("try") void host_try (void (*f) (lua_State *, void *), lua_State *L, void *ud);
IMPORT("throw") _Noreturn void host_throw (void);
/*
** Runs the command whose arguments `places` tells, and whose number is `command` unless that is 0. Returns the size of the
** reply, whose start is in `shared`.
*/
IMPORT("call") int host_call (int argument_count, int command);
/* Whether the user may run the command whose arguments `places` tells: 0, 1, or -1 for an unknown command. */
IMPORT("mayCall") int host_may_call (int argument_count);
/* One of `enum verdict`. */
IMPORT("interrupt") int host_interrupt (int may_suspend);
IMPORT("log") void host_log (int level, const char *text, size_t size);
IMPORT("isLogged") int host_is_logged (int level);
IMPORT("sha1hex") void host_sha1hex (const char *bytes, size_t size, char *digest);
IMPORT("clock") double host_clock (void);
IMPORT("setProtocol") void host_set_protocol (int protocol);
IMPORT("setReplication") void host_set_replication (int flags);
/* Enters a function into the library that is being loaded. Returns the size of an error text in `reply_area`, or 0. */
IMPORT("register") int host_register (int reference, int flags, const char *name, int name_size, const char *description,
                                      int description_size);

enum verdict {
  GO_ON = 0,
  SUSPEND = 1,
  KILLED_BY_USER = 2,
  KILLED_BY_LIMIT = 3,
  LOAD_TIMED_OUT = 4
};

/* What `hp_run` and `hp_resume` return. */
enum outcome {
  DONE = 0,       /* a reply, in RESP, is in the output */
  SUSPENDED = 1,  /* to be gone on with by `hp_resume` */
  ERROR_REPLY = 2, /* as DONE; the reply is an error */
  FAILED = 3      /* message, source and line are in the output, one behind another */
};

/* Flags of scripts, as bits; the order is that of FUNCTION LIST. */
static const char *const script_flags[] = {"no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"};
#define SCRIPT_FLAG_COUNT 5

#define REPLY_AREA_BYTES 65536
#define HOOK_INTERVAL 100000
#define EVERY_REPLICATION 3  /* REPL_ALL */
/* What the reply of a value other than a table takes at most, besides the bytes of a string. */
#define PLAIN_REPLY_BYTES 64
/* Slots of Lua's stack that must be free for a value to be written; it decides how deep replies may be nested. */
#define STACK_SLOTS_A_VALUE 5

/* Fields that the host reads, as 32-bit integers. */
static struct {
  int output_at;
  int output_bytes;
  /* Of FAILED: sizes of the three texts; a source of -1 means that there is neither source nor line. */
  int message_bytes;
  int source_bytes;
  int line_bytes;
  /* Whether the error of ERROR_REPLY or FAILED was counted when the command that caused it failed. */
  int is_counted;
  /* Memory that the Lua state holds. */
  int used_bytes;
  /* Start of the arguments' places, and how many pairs fit. */
  int places_at;
  int places_capacity;
  /* Where the host has put a reply. */
  int reply_at;
  /* The host's number of the command that it has run, if it was given none, and may be given this one from now on. */
  int command;
} shared;

static char reply_area[REPLY_AREA_BYTES];
static char *large_reply = NULL;

static lua_State *main_state;
static lua_State *runner;
static int runner_reference;
static int is_running = 0;
static int is_loading = 0;
/* 2 or 3: of the script, and of the client that waits for its result. */
static int script_protocol = 2;
static int client_protocol = 2;

EXPORT("hp_shared") void *hp_shared (void) { return &shared; }
EXPORT("hp_reply_area") char *hp_reply_area (void) { return reply_area; }
EXPORT("hp_reply_area_bytes") int hp_reply_area_bytes (void) { return REPLY_AREA_BYTES; }

/* Room for a reply that is larger than `reply_area`. It is given back when the reply has been converted. */
EXPORT("hp_large_reply") char *hp_large_reply (size_t size) {
  free(large_reply);
  large_reply = malloc(size);
  return large_reply;
}

/* ---- Exceptions ---- */

EXPORT("hp_invoke") void hp_invoke (void (*f) (lua_State *, void *), lua_State *L, void *ud) { f(L, ud); }

/*
** An exception leaves the stack pointer of this memory where it was thrown. luaD_rawrunprotected, the only caller, has a
** frame on it and puts it right when it returns.
*/
void headpond_try (void (*f) (lua_State *, void *), lua_State *L, void *ud) { host_try(f, L, ud); }

_Noreturn void headpond_throw (void) { host_throw(); }

/* ---- Files ---- */

/* libc's printf could write to files, if there were any: these stand in for its imports, so that there are none. */
#define NO_SUCH_FILE 8
int __imported_wasi_snapshot_preview1_fd_close (int fd) { (void)fd; return NO_SUCH_FILE; }
int __imported_wasi_snapshot_preview1_fd_seek (int fd, int64_t offset, int whence, int position) {
  (void)fd; (void)offset; (void)whence; (void)position;
  return NO_SUCH_FILE;
}
int __imported_wasi_snapshot_preview1_fd_write (int fd, int parts, int count, int written) {
  (void)fd; (void)parts; (void)count; (void)written;
  return NO_SUCH_FILE;
}

/* ---- Memory ---- */

/*
** Most of what Lua allocates is small and dies young. Blocks up to SMALL_BYTES_MAX come from free lists by size, which
** are filled from slabs that are never given back; larger ones from malloc.
*/
#define UNIT_BYTES 16
#define SMALL_BYTES_MAX 512
#define SLAB_BYTES 32768

typedef struct FreeBlock { struct FreeBlock *next; } FreeBlock;
static FreeBlock *free_blocks[SMALL_BYTES_MAX / UNIT_BYTES + 1];

static int class_of (size_t size) { return (int)((size + UNIT_BYTES - 1) / UNIT_BYTES); }

static void *refill (int class_index) {
  size_t block_bytes = (size_t)class_index * UNIT_BYTES;
  char *slab = malloc(SLAB_BYTES);
  char *at;
  if (slab == NULL) return NULL;
  for (at = slab + block_bytes; at + block_bytes <= slab + SLAB_BYTES; at += block_bytes) {
    FreeBlock *block = (FreeBlock *)at;
    block->next = free_blocks[class_index];
    free_blocks[class_index] = block;
  }
  return slab;
}

static void *take (size_t size) {
  int class_index;
  FreeBlock *block;
  if (size > SMALL_BYTES_MAX) return malloc(size);
  class_index = class_of(size);
  block = free_blocks[class_index];
  if (block == NULL) return refill(class_index);
  free_blocks[class_index] = block->next;
  return block;
}

static void give_back (void *ptr, size_t size) {
  if (size > SMALL_BYTES_MAX) free(ptr);
  else {
    FreeBlock *block = ptr;
    int class_index = class_of(size);
    block->next = free_blocks[class_index];
    free_blocks[class_index] = block;
  }
}

static void *allocate (void *ud, void *ptr, size_t old_size, size_t new_size) {
  void *moved;
  (void)ud;
  if (new_size == 0) {
    if (ptr != NULL) {
      give_back(ptr, old_size);
      shared.used_bytes -= (int)old_size;
    }
    return NULL;
  }
  if (ptr == NULL) {
    moved = take(new_size);
    if (moved != NULL) shared.used_bytes += (int)new_size;
    return moved;
  }
  if (old_size > SMALL_BYTES_MAX && new_size > SMALL_BYTES_MAX) {
    moved = realloc(ptr, new_size);
    if (moved == NULL) return NULL;
  }
  else if (old_size <= SMALL_BYTES_MAX && new_size <= SMALL_BYTES_MAX && class_of(old_size) == class_of(new_size)) {
    moved = ptr;
  }
  else {
    moved = take(new_size);
    if (moved == NULL) return NULL;
    memcpy(moved, ptr, old_size < new_size ? old_size : new_size);
    give_back(ptr, old_size);
  }
  shared.used_bytes += (int)new_size - (int)old_size;
  return moved;
}

/* ---- Numbers ---- */

static int format_integer (char *buffer, long long value) {
  char reversed[24];
  int count = 0, size = 0;
  unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
  do {
    reversed[count++] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (value < 0) buffer[size++] = '-';
  while (count > 0) buffer[size++] = reversed[--count];
  return size;
}

/* Whether a number is an integer of so few digits that %g prints all of them, and has no sign that an integer lacks. */
static int is_short_integer (double number, double limit) {
  return number > -limit && number < limit && number == (double)(long long)number && (number != 0 || !signbit(number));
}

/* As sprintf with LUAI_NUMFFORMAT, "%.14g". */
int headpond_number_text (char *text, double number) {
  int size;
  if (!is_short_integer(number, 1e14)) return sprintf(text, LUA_NUMBER_FMT, number);
  size = format_integer(text, (long long)number);
  text[size] = '\0';
  return size;
}

/* Beyond this many digits neither the digits nor the power of ten need be exact in a double. */
#define EXACT_DIGITS_MAX 15

/*
** As strtod. Up to 15 digits, with or without a point, are the quotient of two numbers that a double holds exactly, so that
** one division rounds as it should; everything else is left to strtod.
*/
double headpond_text_number (const char *text, char **end) {
  static const double powers_of_ten[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const char *at = text;
  long long digits = 0;
  int is_negative = *at == '-', count = 0, decimal_count = 0;
  double number;
  if (is_negative) at++;
  for (; *at >= '0' && *at <= '9'; at++, count++) if (count < EXACT_DIGITS_MAX) digits = digits * 10 + (*at - '0');
  if (count == 0) return strtod(text, end);
  if (*at == '.') {
    for (at++; *at >= '0' && *at <= '9'; at++, count++, decimal_count++) {
      if (count < EXACT_DIGITS_MAX) digits = digits * 10 + (*at - '0');
    }
  }
  if (count > EXACT_DIGITS_MAX || *at == 'e' || *at == 'E' || *at == 'x' || *at == 'X') return strtod(text, end);
  *end = (char *)at;
  number = (double)digits / powers_of_ten[decimal_count];
  return is_negative ? -number : number;
}

/* ---- Output ---- */

/* What goes to the host: the reply of a script, or texts of an error. */
static char *output = NULL;
static size_t output_capacity = 0;
static size_t output_size = 0;

/* Room for `size` more bytes. Without memory for it, Lua's own error is raised. */
static char *output_room (lua_State *L, size_t size) {
  if (output_size + size > output_capacity) {
    size_t capacity = (output_size + size) * 2;
    char *grown = realloc(output, capacity);
    if (grown == NULL) luaL_error(L, "not enough memory");
    output = grown;
    output_capacity = capacity;
  }
  return output + output_size;
}

static void write_bytes (lua_State *L, const char *bytes, size_t size) {
  memcpy(output_room(L, size), bytes, size);
  output_size += size;
}

static void write_text (lua_State *L, const char *text) { write_bytes(L, text, strlen(text)); }

/* Text of a line of the protocol: it ends at a NUL, and line breaks become spaces. */
static void write_line_text (lua_State *L, const char *text, size_t size) {
  char *at = output_room(L, size);
  size_t index;
  for (index = 0; index < size; index++) at[index] = text[index] == '\r' || text[index] == '\n' ? ' ' : text[index];
  output_size += size;
}

static void write_header (lua_State *L, char marker, long long value) {
  char *at = output_room(L, 32);
  int size = 1;
  at[0] = marker;
  size += format_integer(at + 1, value);
  at[size++] = '\r';
  at[size++] = '\n';
  output_size += size;
}

static void write_bulk (lua_State *L, const char *bytes, size_t size) {
  write_header(L, '$', (long long)size);
  write_bytes(L, bytes, size);
  write_bytes(L, "\r\n", 2);
}

static void publish_output (void) {
  shared.output_at = (int)output;
  shared.output_bytes = (int)output_size;
}

/* ---- Errors ---- */

/*
** Pushes {err = 'CODE message'}. A text that begins with '-' has a code of its own, up to its first space, else the code
** is ERR. Line breaks at its ends are cut off.
*/
static void push_error_bytes (lua_State *L, const char *text, size_t size) {
  const char *code = "ERR";
  size_t code_size = 3;
  size = strnlen(text, size);
  lua_createtable(L, 0, 1);
  if (size > 0 && text[0] == '-') {
    const char *space = memchr(text, ' ', size);
    if (space == NULL) {
      text++;
      size--;
    }
    else {
      code = text + 1;
      code_size = (size_t)(space - code);
      size -= code_size + 2;
      text = space + 1;
    }
  }
  while (size > 0 && (text[0] == '\r' || text[0] == '\n')) {
    text++;
    size--;
  }
  while (size > 0 && (text[size - 1] == '\r' || text[size - 1] == '\n')) size--;
  lua_pushlstring(L, code, code_size);
  lua_pushliteral(L, " ");
  lua_pushlstring(L, text, size);
  lua_concat(L, 3);
  lua_setfield(L, -2, "err");
}

static void push_error (lua_State *L, const char *text) { push_error_bytes(L, text, strlen(text)); }

static int raise (lua_State *L, const char *text) {
  push_error(L, text);
  return lua_error(L);
}

/* Sets a field of an error without asking its metatable. */
static void set_raw (lua_State *L, int index, const char *name) {
  if (index < 0) index = lua_gettop(L) + index + 1;
  lua_pushstring(L, name);
  lua_insert(L, -2);
  lua_rawset(L, index);
}

/*
** Makes the error on top of L's stack a table with `err`, and adds where it came from: `source` and `line` of the
** function at `level`, or of its caller when that is no Lua function.
*/
static void complete_error (lua_State *L, int level) {
  lua_Debug where;
  int is_known = lua_getstack(L, level, &where);
  if (is_known) {
    lua_getinfo(L, "Sl", &where);
    if (strcmp(where.what, "C") == 0) {
      is_known = lua_getstack(L, level + 1, &where);
      if (is_known) lua_getinfo(L, "Sl", &where);
    }
  }
  if (!lua_istable(L, -1)) {
    switch (lua_type(L, -1)) {
      case LUA_TNUMBER:
      case LUA_TSTRING: lua_pushfstring(L, "ERR %s", lua_tostring(L, -1)); break;
      case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, -1) ? "ERR true" : "ERR false"); break;
      case LUA_TNIL: lua_pushliteral(L, "ERR nil"); break;
      default: lua_pushfstring(L, "ERR %s: %p", luaL_typename(L, -1), lua_topointer(L, -1));
    }
    lua_createtable(L, 0, 3);
    lua_insert(L, -2);
    set_raw(L, -2, "err");
    lua_remove(L, -2);
  }
  if (is_known && !lua_isreadonlytable(L, -1)) {
    lua_pushstring(L, where.source);
    set_raw(L, -2, "source");
    lua_pushnumber(L, where.currentline);
    set_raw(L, -2, "line");
  }
}

/* __redis__err__handler(err): scripts can see it, so it is there. */
static int error_handler (lua_State *L) {
  lua_settop(L, 1);
  complete_error(L, 1);
  return 1;
}

/* Writes a field of the table on top as text, up to a NUL. Returns its size, -1 when it is no text. */
static int write_field (lua_State *L, const char *name) {
  int size = -1;
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  if (lua_isstring(L, -1)) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    size = (int)strnlen(text, length);
    write_bytes(L, text, size);
  }
  lua_pop(L, 1);
  return size;
}

static int is_counted (lua_State *L) {
  int counted;
  lua_pushliteral(L, "ignore_error_stats_update");
  lua_rawget(L, -2);
  counted = lua_isboolean(L, -1) && lua_toboolean(L, -1);
  lua_pop(L, 1);
  return counted;
}

/* ---- From RESP to Lua ---- */

static const char *parse_reply (lua_State *L, const char *at);

/* The end of a line: its '\r'. */
static const char *line_end (const char *at) {
  while (at[0] != '\r' || at[1] != '\n') at++;
  return at;
}

static const char *parse_integer (const char *at, long long *value) {
  int is_negative = *at == '-';
  unsigned long long sum = 0;
  if (is_negative) at++;
  while (*at != '\r') sum = sum * 10 + (unsigned long long)(*at++ - '0');
  *value = (long long)(is_negative ? 0 - sum : sum);
  return at + 2;
}

static const char *skip_reply (lua_State *L, const char *at) {
  int top = lua_gettop(L);
  at = parse_reply(L, at);
  lua_settop(L, top);
  return at;
}

/* Pushes the value of the reply at `at`, and returns where it ends. */
static const char *parse_reply (lua_State *L, const char *at) {
  const char *end;
  long long count, index;
  /* These need one slot, which a function of C has, and an array has made sure of. */
  if (*at == ':') {
    at = parse_integer(at + 1, &count);
    lua_pushnumber(L, (lua_Number)count);
    return at;
  }
  if (*at == '$') {
    at = parse_integer(at + 1, &count);
    if (count < 0) {
      lua_pushboolean(L, 0);
      return at;
    }
    lua_pushlstring(L, at, (size_t)count);
    return at + count + 2;
  }
  luaL_checkstack(L, 6, "too many nested replies");
  switch (*at++) {
    case '+':
      end = line_end(at);
      lua_createtable(L, 0, 1);
      lua_pushliteral(L, "ok");
      lua_pushlstring(L, at, (size_t)(end - at));
      lua_rawset(L, -3);
      return end + 2;
    case '-':
      end = line_end(at);
      push_error_bytes(L, at - 1, (size_t)(end - at) + 1);
      lua_pushboolean(L, 1);
      lua_setfield(L, -2, "ignore_error_stats_update");
      return end + 2;
    case '*':
    case '>':
      at = parse_integer(at, &count);
      if (count < 0) {
        lua_pushboolean(L, 0);
        return at;
      }
      lua_createtable(L, (int)count, 0);
      for (index = 1; index <= count; index++) {
        at = parse_reply(L, at);
        lua_rawseti(L, -2, (int)index);
      }
      return at;
    case '%':
      at = parse_integer(at, &count);
      lua_newtable(L);
      lua_pushliteral(L, "map");
      lua_newtable(L);
      while (count-- > 0) {
        at = parse_reply(L, at);
        at = parse_reply(L, at);
        lua_settable(L, -3);
      }
      lua_rawset(L, -3);
      return at;
    case '~':
      at = parse_integer(at, &count);
      lua_newtable(L);
      lua_pushliteral(L, "set");
      lua_newtable(L);
      while (count-- > 0) {
        at = parse_reply(L, at);
        lua_pushboolean(L, 1);
        lua_settable(L, -3);
      }
      lua_rawset(L, -3);
      return at;
    case '_':
      lua_pushnil(L);
      return at + 2;
    case '#':
      lua_pushboolean(L, *at == 't');
      return at + 3;
    case ',':
      end = line_end(at);
      lua_newtable(L);
      lua_pushliteral(L, "double");
      lua_pushnumber(L, strtod(at, NULL));
      lua_rawset(L, -3);
      return end + 2;
    case '(':
      end = line_end(at);
      lua_newtable(L);
      lua_pushliteral(L, "big_number");
      lua_pushlstring(L, at, (size_t)(end - at));
      lua_rawset(L, -3);
      return end + 2;
    case '=':
      at = parse_integer(at, &count);
      lua_newtable(L);
      lua_pushliteral(L, "verbatim_string");
      lua_newtable(L);
      lua_pushliteral(L, "string");
      lua_pushlstring(L, at + 4, (size_t)count - 4);
      lua_rawset(L, -3);
      lua_pushliteral(L, "format");
      lua_pushlstring(L, at, 3);
      lua_rawset(L, -3);
      lua_rawset(L, -3);
      return at + count + 2;
    case '|':  /* attributes, which scripts do not see */
      at = parse_integer(at, &count);
      while (count-- > 0) at = skip_reply(L, skip_reply(L, at));
      return parse_reply(L, at);
    default:
      __builtin_trap();  /* the host writes nothing else */
  }
}

/* ---- From Lua to RESP ---- */

/* Fields of tables that are not arrays, and the globals of a script. The strings are never collected, so that looking one up is one comparison. */
enum field { ERR, OK, DOUBLE, BIG_NUMBER, VERBATIM_STRING, MAP, SET, KEYS, ARGV, FIELD_COUNT };
static const char *const field_names[] = {"err", "ok", "double", "big_number", "verbatim_string", "map", "set", "KEYS",
                                          "ARGV"};
static TString *field_strings[FIELD_COUNT];

static void fix_field_strings (lua_State *L) {
  int field;
  for (field = 0; field < FIELD_COUNT; field++) {
    field_strings[field] = luaS_new(L, field_names[field]);
    luaS_fix(field_strings[field]);
  }
}

/* Pushes a raw field of the table on top, if it is of this type: else pushes nothing and returns 0. */
static int push_field (lua_State *L, enum field field, int type) {
  const TValue *value = luaH_getstr(hvalue(L->top - 1), field_strings[field]);
  if (ttype(value) != type) return 0;
  setobj2s(L, L->top, value);
  L->top++;
  return 1;
}

static int has_no_fields (const Table *table) {
  return sizenode(table) == 1 && ttisnil(gkey(gnode(table, 0)));
}

static void write_null (lua_State *L) {
  if (client_protocol == 2) write_text(L, "$-1\r\n");
  else write_text(L, "_\r\n");
}

static void write_double (lua_State *L, double value) {
  char text[64];
  int size;
  if (isinf(value)) size = sprintf(text, value > 0 ? "inf" : "-inf");
  else size = sprintf(text, "%.17g", value);
  if (client_protocol == 2) write_bulk(L, text, (size_t)size);
  else {
    write_text(L, ",");
    write_bytes(L, text, (size_t)size);
    write_text(L, "\r\n");
  }
}

/*
** Arrays, maps and sets that are being written. Nesting is limited by Lua's stack alone, which holds the tables; the
** machine's would not suffice for as many calls.
*/
enum container_kind { ARRAY_OF, MAP_OF, SET_OF };
struct container {
  enum container_kind kind;
  int index;  /* of an array: of the last item written; of a map: 1 between a key and its value */
  int count;
};
static struct container *containers = NULL;
static int container_capacity = 0;
static int depth = 0;

static void open_container (lua_State *L, enum container_kind kind, int count) {
  struct container *opened;
  if (depth == container_capacity) {
    int capacity = depth == 0 ? 16 : depth * 2;
    struct container *grown = realloc(containers, (size_t)capacity * sizeof(struct container));
    if (grown == NULL) luaL_error(L, "not enough memory");
    containers = grown;
    container_capacity = capacity;
  }
  opened = &containers[depth++];
  opened->kind = kind;
  opened->index = 0;
  opened->count = count;
}

static int count_entries (lua_State *L) {
  int count = 0;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) count++;
  return count;
}

/*
** Writes a table that stands for one value of RESP, and pops it, or begins a map or a set. Returns 0 if it is none of
** all that: an array then.
*/
static int write_special_table (lua_State *L) {
  const char *text;
  size_t size;
  int count;
  if (push_field(L, ERR, LUA_TSTRING)) {
    lua_insert(L, -2);
    shared.is_counted = is_counted(L);
    lua_insert(L, -2);
    text = lua_tolstring(L, -1, &size);
    size = strnlen(text, size);
    while (size > 0 && (text[size - 1] == '\r' || text[size - 1] == '\n')) size--;
    write_text(L, "-");
    write_line_text(L, text, size);
    write_text(L, "\r\n");
    lua_pop(L, 2);
    return 1;
  }
  if (push_field(L, OK, LUA_TSTRING)) {
    text = lua_tolstring(L, -1, &size);
    write_text(L, "+");
    write_line_text(L, text, strnlen(text, size));
    write_text(L, "\r\n");
    lua_pop(L, 2);
    return 1;
  }
  if (push_field(L, DOUBLE, LUA_TNUMBER)) {
    write_double(L, lua_tonumber(L, -1));
    lua_pop(L, 2);
    return 1;
  }
  if (push_field(L, BIG_NUMBER, LUA_TSTRING)) {
    text = lua_tolstring(L, -1, &size);
    if (client_protocol == 2) {
      write_header(L, '$', (long long)size);
    } else {
      write_text(L, "(");
    }
    write_line_text(L, text, size);
    write_text(L, "\r\n");
    lua_pop(L, 2);
    return 1;
  }
  if (push_field(L, VERBATIM_STRING, LUA_TTABLE)) {
    lua_pushliteral(L, "format");
    lua_rawget(L, -2);
    lua_pushliteral(L, "string");
    lua_rawget(L, -3);
    if (lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING) {
      const char *format = lua_tostring(L, -2);
      text = lua_tolstring(L, -1, &size);
      if (client_protocol == 2) write_bulk(L, text, size);
      else {
        char prefix[] = "   :";
        memcpy(prefix, format, strnlen(format, 3));
        write_header(L, '=', (long long)size + 4);
        write_bytes(L, prefix, 4);
        write_bytes(L, text, size);
        write_text(L, "\r\n");
      }
      lua_pop(L, 4);
      return 1;
    }
    lua_pop(L, 3);
  }
  if (push_field(L, MAP, LUA_TTABLE)) {
    count = count_entries(L);
    if (client_protocol == 2) write_header(L, '*', 2LL * count);
    else write_header(L, '%', count);
    open_container(L, MAP_OF, count);
    lua_pushnil(L);
    return 1;
  }
  if (push_field(L, SET, LUA_TTABLE)) {
    count = count_entries(L);
    write_header(L, client_protocol == 2 ? '*' : '~', count);
    open_container(L, SET_OF, count);
    lua_pushnil(L);
    return 1;
  }
  return 0;
}

/* Writes the value on top as a reply, and pops it; or begins it, leaving it for `write_item`. */
static void write_value (lua_State *L) {
  const char *text;
  size_t size;
  int count;
  if (!lua_checkstack(L, STACK_SLOTS_A_VALUE)) {
    write_text(L, "-ERR reached lua stack limit\r\n");
    lua_pop(L, 1);
    return;
  }
  switch (lua_type(L, -1)) {
    case LUA_TSTRING:
      text = lua_tolstring(L, -1, &size);
      write_bulk(L, text, size);
      break;
    case LUA_TBOOLEAN:
      if (script_protocol == 2) {
        if (lua_toboolean(L, -1)) write_text(L, ":1\r\n");
        else write_null(L);
      }
      else if (client_protocol == 2) write_text(L, lua_toboolean(L, -1) ? ":1\r\n" : ":0\r\n");
      else write_text(L, lua_toboolean(L, -1) ? "#t\r\n" : "#f\r\n");
      break;
    case LUA_TNUMBER:
      write_header(L, ':', headpond_int64(lua_tonumber(L, -1)));
      break;
    case LUA_TTABLE:
      if (!has_no_fields(hvalue(L->top - 1)) && write_special_table(L)) return;
      count = 0;
      while (!ttisnil(luaH_getnum(hvalue(L->top - 1), count + 1))) count++;
      write_header(L, '*', count);
      open_container(L, ARRAY_OF, count);
      return;
    default:
      write_null(L);
  }
  lua_pop(L, 1);
}

/* Writes the next item of the innermost container, or ends it. */
static void write_item (lua_State *L) {
  struct container *container = &containers[depth - 1];
  if (container->kind == ARRAY_OF) {
    if (container->index == container->count) {
      lua_pop(L, 1);
      depth--;
      return;
    }
    lua_rawgeti(L, -1, ++container->index);
  }
  else if (container->kind == MAP_OF && container->index == 1) container->index = 0;
  else if (!lua_next(L, -2)) {
    lua_pop(L, 2);
    depth--;
    return;
  }
  else if (container->kind == MAP_OF) {
    container->index = 1;
    lua_pushvalue(L, -2);
  }
  else {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
  }
  write_value(L);
}

/* ---- redis.call and what goes with it ---- */

static int *places = NULL;
static char *numbers = NULL;

/* Room for the places of so many arguments, and for as many numbers as text. */
#define NUMBER_BYTES 32
static int places_room (int count) {
  int capacity = shared.places_capacity;
  int *grown_places;
  char *grown_numbers;
  if (count <= capacity) return 1;
  capacity = count < 64 ? 64 : count * 2;
  grown_places = realloc(places, (size_t)capacity * 2 * sizeof(int));
  if (grown_places == NULL) return 0;
  places = grown_places;
  shared.places_at = (int)places;
  grown_numbers = realloc(numbers, (size_t)capacity * NUMBER_BYTES);
  if (grown_numbers == NULL) return 0;
  numbers = grown_numbers;
  shared.places_capacity = capacity;
  return 1;
}

/* Tells the host where the arguments of a command are. Returns how many, or -1 having pushed an error. */
static int describe_arguments (lua_State *L) {
  int count = lua_gettop(L), index;
  if (count == 0) {
    push_error(L, "Please specify at least one argument for this redis lib call");
    return -1;
  }
  if (!places_room(count)) luaL_error(L, "not enough memory");
  for (index = 0; index < count; index++) {
    const TValue *value = L->base + index;
    if (ttisstring(value)) {
      places[index * 2] = (int)svalue(value);
      places[index * 2 + 1] = (int)svalue(value) + (int)tsvalue(value)->len;
    }
    else if (ttisnumber(value)) {
      lua_Number number = nvalue(value);
      char *text = numbers + index * NUMBER_BYTES;
      int size;
      if (is_short_integer(number, 1e17)) size = format_integer(text, (long long)number);
      else size = snprintf(text, NUMBER_BYTES, "%.17g", number);
      places[index * 2] = (int)text;
      places[index * 2 + 1] = (int)text + size;
    }
    else {
      push_error(L, "Lua redis lib command arguments must be strings or integers");
      return -1;
    }
  }
  return count;
}

static int call_command (lua_State *L, int raises) {
  int count, size;
  const char *reply;
  TString *name;
  if (!is_running) return raise(L, "redis.call/pcall can only be called inside a script invocation");
  count = describe_arguments(L);
  if (count < 0) return raises ? lua_error(L) : 1;
  name = ttisstring(L->base) ? rawtsvalue(L->base) : NULL;
  if (name != NULL && name->tsv.command != 0) size = host_call(count, name->tsv.command);
  else {
    shared.command = 0;
    size = host_call(count, 0);
    if (name != NULL) name->tsv.command = (lu_byte)shared.command;
  }
  L->top = L->base;
  reply = (const char *)shared.reply_at;
  if (size == 0) __builtin_trap();  /* every command answers */
  parse_reply(L, reply);
  raises = raises && reply[0] == '-';
  if (large_reply != NULL) {
    free(large_reply);
    large_reply = NULL;
  }
  return raises ? lua_error(L) : 1;
}

static int redis_call (lua_State *L) { return call_command(L, 1); }

static int redis_pcall (lua_State *L) { return call_command(L, 0); }

static int redis_acl_check_cmd (lua_State *L) {
  int count, verdict;
  if (!is_running) return raise(L, "redis.acl_check_cmd can only be called inside a script invocation");
  count = describe_arguments(L);
  if (count < 0) return lua_error(L);
  verdict = host_may_call(count);
  if (verdict < 0) return raise(L, "Invalid command passed to redis.acl_check_cmd()");
  lua_pushboolean(L, verdict);
  return 1;
}

/*
** pcall: an error table of redis.call becomes its message, as it was before Redis 7.
*/
static int protected_call (lua_State *L) {
  int count = lua_gettop(L);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  if (lua_pcall(L, count - 1, LUA_MULTRET, 0)) {
    lua_remove(L, 1);
    if (lua_istable(L, -1)) {
      lua_getfield(L, -1, "err");
      if (lua_isstring(L, -1)) lua_replace(L, -2);
    }
    lua_pushboolean(L, 0);
    lua_insert(L, 1);
  }
  return lua_gettop(L);
}

static int redis_sha1hex (lua_State *L) {
  char digest[40];
  size_t size = 0;
  const char *bytes;
  if (lua_gettop(L) != 1) return raise(L, "wrong number of arguments");
  bytes = lua_tolstring(L, 1, &size);
  host_sha1hex(bytes, bytes == NULL ? 0 : size, digest);
  lua_pushlstring(L, digest, sizeof(digest));
  return 1;
}

static int redis_error_reply (lua_State *L) {
  size_t size;
  const char *text;
  if (lua_gettop(L) != 1 || lua_type(L, -1) != LUA_TSTRING) {
    push_error(L, "wrong number or type of arguments");
    return 1;
  }
  if (*lua_tostring(L, 1) != '-') {
    lua_pushliteral(L, "-");
    lua_insert(L, 1);
    lua_concat(L, 2);
  }
  text = lua_tolstring(L, 1, &size);
  push_error_bytes(L, text, size);
  return 1;
}

static int redis_status_reply (lua_State *L) {
  if (lua_gettop(L) != 1 || lua_type(L, -1) != LUA_TSTRING) {
    push_error(L, "wrong number or type of arguments");
    return 1;
  }
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "ok");
  return 1;
}

static int redis_set_repl (lua_State *L) {
  int flags;
  if (!is_running) return raise(L, "redis.set_repl can only be called inside a script invocation");
  if (lua_gettop(L) != 1) return raise(L, "redis.set_repl() requires two arguments.");
  flags = headpond_int(lua_tonumber(L, -1));
  if ((flags & ~EVERY_REPLICATION) != 0) {
    return raise(L, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  }
  host_set_replication(flags);
  return 0;
}

static int redis_log (lua_State *L) {
  int count = lua_gettop(L), level, index;
  luaL_Buffer buffer;
  size_t size;
  if (count < 2) return raise(L, "redis.log() requires two arguments or more.");
  if (!lua_isnumber(L, 1)) return raise(L, "First argument must be a number (log level).");
  level = headpond_int(lua_tonumber(L, 1));
  if (level < 0 || level > 3) return raise(L, "Invalid debug level.");
  if (!host_is_logged(level)) return 0;
  luaL_buffinit(L, &buffer);
  for (index = 2; index <= count; index++) {
    const char *text = lua_tolstring(L, index, &size);
    if (text == NULL) continue;
    if (index != 2) luaL_addchar(&buffer, ' ');
    luaL_addlstring(&buffer, text, size);
  }
  luaL_pushresult(&buffer);
  host_log(level, lua_tostring(L, -1), lua_objlen(L, -1));
  return 0;
}

static int redis_setresp (lua_State *L) {
  int protocol;
  if (!is_running) return raise(L, "redis.setresp can only be called inside a script invocation");
  if (lua_gettop(L) != 1) return raise(L, "redis.setresp() requires one argument.");
  protocol = headpond_int(lua_tonumber(L, -1));
  if (protocol != 2 && protocol != 3) return raise(L, "RESP version must be 2 or 3.");
  script_protocol = protocol;
  host_set_protocol(protocol);
  return 0;
}

/* There is no debugger, as in a Redis where nobody debugs. */
static int redis_breakpoint (lua_State *L) {
  lua_pushboolean(L, 0);
  return 1;
}

static int redis_debug (lua_State *L) {
  (void)L;
  return 0;
}

static int redis_replicate_commands (lua_State *L) {
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- math.random ---- */

/* drand48's generator, as Redis has it: the same numbers for the same seed on every machine. */
#define RANDOM_MULTIPLIER 0x5DEECE66DULL
#define RANDOM_INCREMENT 0xBULL
#define RANDOM_MASK ((1ULL << 48) - 1)
#define RANDOM_MAX 0x7fffffff
static uint64_t random_state = 0x1234ABCD330EULL;

static int math_random (lua_State *L) {
  lua_Number r;
  if (!is_running) return luaL_error(L, "math.random can only be called inside a script invocation");
  random_state = (random_state * RANDOM_MULTIPLIER + RANDOM_INCREMENT) & RANDOM_MASK;
  r = (lua_Number)((random_state >> 17) % RANDOM_MAX) / (lua_Number)RANDOM_MAX;
  switch (lua_gettop(L)) {
    case 0:
      lua_pushnumber(L, r);
      break;
    case 1: {
      int upper = luaL_checkint(L, 1);
      luaL_argcheck(L, 1 <= upper, 1, "interval is empty");
      lua_pushnumber(L, floor(r * upper) + 1);
      break;
    }
    case 2: {
      int lower = luaL_checkint(L, 1);
      int upper = luaL_checkint(L, 2);
      luaL_argcheck(L, lower <= upper, 2, "interval is empty");
      lua_pushnumber(L, floor(r * (int)((unsigned)upper - (unsigned)lower + 1u)) + lower);
      break;
    }
    default:
      return luaL_error(L, "wrong number of arguments");
  }
  return 1;
}

static int math_randomseed (lua_State *L) {
  if (!is_running) return luaL_error(L, "math.randomseed can only be called inside a script invocation");
  random_state = ((uint64_t)(uint32_t)luaL_checkint(L, 1) << 16) | 0x330E;
  return 0;
}

/* ---- redis.register_function ---- */

static int read_function_flags (lua_State *L, int *flags) {
  int index;
  *flags = 0;
  for (index = 1;; index++) {
    const char *name;
    int flag;
    lua_pushnumber(L, index);
    lua_gettable(L, -2);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      return 1;
    }
    name = lua_tostring(L, -1);
    for (flag = 0; flag < SCRIPT_FLAG_COUNT && name != NULL; flag++) {
      if (strcasecmp(script_flags[flag], name) == 0) break;
    }
    lua_pop(L, 1);
    if (name == NULL || flag == SCRIPT_FLAG_COUNT) return 0;
    *flags |= 1 << flag;
  }
}

/* Puts name, description (or nil) and callback at the indexes 1 to 3. Returns an error text or NULL. */
static const char *read_named_arguments (lua_State *L, int *flags) {
  if (!lua_istable(L, 1)) {
    return "calling redis.register_function with a single argument is only applicable to Lua table (representing named "
           "arguments).";
  }
  lua_settop(L, 1);
  lua_insert(L, 1);
  lua_pushnil(L);  /* 2: name */
  lua_pushnil(L);  /* 3: description */
  lua_pushnil(L);  /* 4: callback */
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    const char *key;
    if (!lua_isstring(L, -2)) return "named argument key given to redis.register_function is not a string";
    lua_pushvalue(L, -2);  /* a number must not become a string under the traversal */
    key = lua_tostring(L, -1);
    if (strcasecmp(key, "function_name") == 0) {
      if (!lua_isstring(L, -2)) return "function_name argument given to redis.register_function must be a string";
      lua_pushvalue(L, -2);
      lua_replace(L, 2);
    }
    else if (strcasecmp(key, "description") == 0) {
      if (!lua_isstring(L, -2)) return "description argument given to redis.register_function must be a string";
      lua_pushvalue(L, -2);
      lua_replace(L, 3);
    }
    else if (strcasecmp(key, "callback") == 0) {
      if (!lua_isfunction(L, -2)) return "callback argument given to redis.register_function must be a function";
      lua_pushvalue(L, -2);
      lua_replace(L, 4);
    }
    else if (strcasecmp(key, "flags") == 0) {
      int is_known;
      if (!lua_istable(L, -2)) {
        return "flags argument to redis.register_function must be a table representing function flags";
      }
      lua_pushvalue(L, -2);
      is_known = read_function_flags(L, flags);
      lua_pop(L, 1);
      if (!is_known) return "unknown flag given";
    }
    else return "unknown argument given to redis.register_function";
    lua_pop(L, 2);
  }
  lua_remove(L, 1);
  if (lua_isnil(L, 1)) return "redis.register_function must get a function name argument";
  if (lua_isnil(L, 3)) return "redis.register_function must get a callback argument";
  return NULL;
}

static const char *read_positional_arguments (lua_State *L) {
  if (!lua_isstring(L, 1)) return "first argument to redis.register_function must be a string";
  if (!lua_isfunction(L, 2)) return "second argument to redis.register_function must be a function";
  lua_pushnil(L);
  lua_insert(L, 2);
  return NULL;
}

static int redis_register_function (lua_State *L) {
  int count = lua_gettop(L), flags = 0, reference, error_size;
  const char *error, *name, *description;
  size_t name_size, description_size = 0;
  if (!is_loading) return raise(L, "redis.register_function can only be called on FUNCTION LOAD command");
  if (count < 1 || count > 2) return raise(L, "wrong number of arguments to redis.register_function");
  error = count == 1 ? read_named_arguments(L, &flags) : read_positional_arguments(L);
  if (error != NULL) return raise(L, error);
  name = lua_tolstring(L, 1, &name_size);
  description = lua_tolstring(L, 2, &description_size);
  lua_pushvalue(L, 3);
  reference = luaL_ref(L, LUA_REGISTRYINDEX);
  error_size = host_register(reference, flags, name, (int)name_size, description,
                             description == NULL ? -1 : (int)description_size);
  if (error_size == 0) return 0;
  luaL_unref(L, LUA_REGISTRYINDEX, reference);
  push_error_bytes(L, reply_area, (size_t)error_size);
  return lua_error(L);
}

/* ---- Ending and suspending scripts ---- */

static void count_hook (lua_State *L, lua_Debug *activation);

/* The hook of the thread that runs asks at every line. */
static int is_ending = 0;

static void end_script (lua_State *L, int verdict) {
  is_ending = 1;
  /* From now on at every line: a script that catches the error does not come far. */
  lua_sethook(L, count_hook, LUA_MASKLINE, 0);
  if (verdict == LOAD_TIMED_OUT) raise(L, "FUNCTION LOAD timeout");
  if (verdict == KILLED_BY_LIMIT) raise(L, "Script killed: it ran too long where it cannot be interrupted...");
  raise(L, "Script killed by user with SCRIPT KILL...");
}

static void count_hook (lua_State *L, lua_Debug *activation) {
  int may_suspend = L == runner && L->nCcalls <= L->baseCcalls;
  int verdict = host_interrupt(may_suspend);
  (void)activation;
  if (verdict == SUSPEND) lua_yield(L, 0);
  else if (verdict != GO_ON) end_script(L, verdict);
}

void headpond_check (lua_State *L) {
  int verdict = host_interrupt(0);
  if (verdict != GO_ON) end_script(L, verdict);
}

int headpond_is_runner (lua_State *L) { return L == runner; }

/* ---- The state ---- */

#define LIBRARY_API "__LIBRARY_API__"
#define GLOBALS_API "__GLOBALS_API__"

LUALIB_API int (luaopen_cjson) (lua_State *L);
LUALIB_API int (luaopen_struct) (lua_State *L);
LUALIB_API int (luaopen_cmsgpack) (lua_State *L);
LUALIB_API int (luaopen_bit) (lua_State *L);

static void open_library (lua_State *L, const char *name, lua_CFunction open) {
  lua_pushcfunction(L, open);
  lua_pushstring(L, name);
  lua_call(L, 1, 0);
}

static void set_function (lua_State *L, const char *name, lua_CFunction function) {
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, name);
}

static void set_number (lua_State *L, const char *name, double value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

/* The parts of `redis` that are there while a library is loaded as well. `version` is 'major.minor.patch'. */
static void set_common_api (lua_State *L, const char *version, int version_number) {
  set_function(L, "log", redis_log);
  set_number(L, "LOG_DEBUG", 0);
  set_number(L, "LOG_VERBOSE", 1);
  set_number(L, "LOG_NOTICE", 2);
  set_number(L, "LOG_WARNING", 3);
  set_number(L, "REDIS_VERSION_NUM", version_number);
  lua_pushstring(L, version);
  lua_setfield(L, -2, "REDIS_VERSION");
}

static int refuse_unknown_global (lua_State *L) {
  if (lua_gettop(L) != 2) return luaL_error(L, "Wrong number of arguments to luaProtectedTableError");
  if (!lua_isstring(L, -1)) return luaL_error(L, "Second argument to luaProtectedTableError must be a string or number");
  return luaL_error(L, "Script attempted to access nonexistent global variable '%s'", lua_tostring(L, -1));
}

/* Reading what is not in the table on top becomes an error. */
static void refuse_unknown_fields (lua_State *L) {
  lua_newtable(L);
  set_function(L, "__index", refuse_unknown_global);
  lua_setmetatable(L, -2);
}

/* Makes the table on top, all tables that it leads to, and their metatables read-only. */
static void protect (lua_State *L) {
  if (lua_isreadonlytable(L, -1)) return;
  lua_enablereadonlytable(L, -1, 1);
  lua_checkstack(L, 3);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (lua_istable(L, -1)) protect(L);
    lua_pop(L, 1);
  }
  if (lua_getmetatable(L, -1)) {
    protect(L);
    lua_pop(L, 1);
  }
}

/* Of the basic types strings alone have a metatable. */
static void protect_string_metatable (lua_State *L) {
  lua_pushliteral(L, "");
  if (lua_getmetatable(L, -1)) {
    protect(L);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* os.clock(), all that there is of os: the processor time of the process, in seconds. */
static int os_clock (lua_State *L) {
  lua_pushnumber(L, host_clock());
  return 1;
}

static void open_api (lua_State *L, const char *version, int version_number, int is_for_scripts) {
  open_library(L, "", luaopen_base);
  open_library(L, LUA_TABLIBNAME, luaopen_table);
  open_library(L, LUA_STRLIBNAME, luaopen_string);
  open_library(L, LUA_MATHLIBNAME, luaopen_math);
  open_library(L, "cjson", luaopen_cjson);
  open_library(L, "struct", luaopen_struct);
  open_library(L, "cmsgpack", luaopen_cmsgpack);
  open_library(L, "bit", luaopen_bit);
  /* What these libraries enter besides: Redis lets in none of it. */
  lua_pushnil(L);
  lua_setglobal(L, "cmsgpack_safe");

  lua_newtable(L);
  set_function(L, "clock", os_clock);
  lua_setglobal(L, "os");

  lua_pushcfunction(L, protected_call);
  lua_setglobal(L, "pcall");

  lua_newtable(L);
  set_function(L, "call", redis_call);
  set_function(L, "pcall", redis_pcall);
  set_common_api(L, version, version_number);
  set_function(L, "setresp", redis_setresp);
  set_function(L, "sha1hex", redis_sha1hex);
  set_function(L, "error_reply", redis_error_reply);
  set_function(L, "status_reply", redis_status_reply);
  set_function(L, "set_repl", redis_set_repl);
  set_number(L, "REPL_NONE", 0);
  set_number(L, "REPL_AOF", 1);
  set_number(L, "REPL_SLAVE", 2);
  set_number(L, "REPL_REPLICA", 2);
  set_number(L, "REPL_ALL", EVERY_REPLICATION);
  set_function(L, "acl_check_cmd", redis_acl_check_cmd);
  if (is_for_scripts) {
    set_function(L, "breakpoint", redis_breakpoint);
    set_function(L, "debug", redis_debug);
    set_function(L, "replicate_commands", redis_replicate_commands);
    lua_pushcfunction(L, error_handler);
    lua_setglobal(L, "__redis__err__handler");
  }
  lua_pushvalue(L, -1);
  lua_setglobal(L, "redis");
  lua_setglobal(L, "server"); /* its name in Valkey */

  lua_getglobal(L, "math");
  set_function(L, "random", math_random);
  set_function(L, "randomseed", math_randomseed);
  lua_pop(L, 1);
}

/* The globals that libraries of functions see while they are loaded. */
static void open_library_api (lua_State *L, const char *version, int version_number) {
  lua_newtable(L);
  lua_newtable(L);
  set_function(L, "register_function", redis_register_function);
  set_common_api(L, version, version_number);
  refuse_unknown_fields(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "redis");
  lua_setfield(L, -2, "server");
  refuse_unknown_fields(L);
  protect(L);
  lua_setfield(L, LUA_REGISTRYINDEX, LIBRARY_API);
}

/*
** Puts a table without entries before the globals of functions. What it leads to is changed while a library is loaded.
*/
static void hide_globals (lua_State *L) {
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  lua_setfield(L, LUA_REGISTRYINDEX, GLOBALS_API);
  lua_newtable(L);
  lua_newtable(L);
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  lua_setfield(L, -2, "__index");
  lua_enablereadonlytable(L, -1, 1);
  lua_setmetatable(L, -2);
  lua_enablereadonlytable(L, -1, 1);
  lua_replace(L, LUA_GLOBALSINDEX);
}

static void lead_globals_to (lua_State *L, const char *api) {
  lua_getmetatable(L, LUA_GLOBALSINDEX);
  lua_enablereadonlytable(L, -1, 0);
  lua_getfield(L, LUA_REGISTRYINDEX, api);
  lua_setfield(L, -2, "__index");
  lua_enablereadonlytable(L, -1, 1);
  lua_pop(L, 1);
}

/* A fresh thread for scripts: one that an error has ended cannot run another. */
static void renew_runner (void) {
  lua_State *L = main_state;
  if (runner != NULL) luaL_unref(L, LUA_REGISTRYINDEX, runner_reference);
  runner = lua_newthread(L);
  runner_reference = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_sethook(runner, count_hook, LUA_MASKCOUNT, HOOK_INTERVAL);
}

struct opening {
  const char *version;
  int version_number;
  int is_for_scripts;
};

static int open_protected (lua_State *L) {
  const struct opening *opening = lua_touserdata(L, 1);
  lua_settop(L, 0);
  fix_field_strings(L);
  output_room(L, 4096);
  if (!places_room(1)) return luaL_error(L, "not enough memory");
  open_api(L, opening->version, opening->version_number, opening->is_for_scripts);
  if (!opening->is_for_scripts) open_library_api(L, opening->version, opening->version_number);
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  refuse_unknown_fields(L);
  protect(L);
  lua_pop(L, 1);
  protect_string_metatable(L);
  return 0;
}

/* Opens the state of this instance: one for scripts, or one for libraries of functions. False without memory. */
EXPORT("hp_open") int hp_open (const char *version, int version_number, int is_for_scripts) {
  struct opening opening = {version, version_number, is_for_scripts};
  main_state = lua_newstate(allocate, NULL);
  if (main_state == NULL) return 0;
  lua_gc(main_state, LUA_GCSTOP, 0);
  if (lua_cpcall(main_state, open_protected, &opening) != 0) return 0;
  if (!is_for_scripts) hide_globals(main_state);
  renew_runner();
  lua_gc(main_state, LUA_GCRESTART, 0);
  return 1;
}

/* ---- Running ---- */

static char *input = NULL;
static size_t input_capacity = 0;

/* Room for what the host passes: source, or arguments. 0 without memory. */
EXPORT("hp_input") char *hp_input (size_t size) {
  if (size > input_capacity) {
    char *grown = realloc(input, size);
    if (grown == NULL) return NULL;
    input = grown;
    input_capacity = size;
  }
  return input;
}

/* Room for the places of so many arguments, told in `shared`. False without memory. */
EXPORT("hp_places") int hp_places (int count) { return places_room(count); }

static void write_top_text (lua_State *L) {
  size_t size = 0;
  const char *text = lua_tolstring(L, -1, &size);
  output_size = 0;
  if (text != NULL) write_bytes(L, text, strnlen(text, size));
  publish_output();
  lua_pop(L, 1);
}

/* Compiles the source in the input. Returns a reference to the function, or 0 with an error text in the output. */
EXPORT("hp_compile") int hp_compile (size_t offset, size_t size) {
  lua_State *L = main_state;
  if (luaL_loadbuffer(L, input + offset, size, "@user_script") != 0) {
    write_top_text(L);
    return 0;
  }
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Forgets a function. */
EXPORT("hp_release") void hp_release (int reference) { luaL_unref(main_state, LUA_REGISTRYINDEX, reference); }

/* Gives back what is no longer used. */
EXPORT("hp_collect") void hp_collect (void) { lua_gc(main_state, LUA_GCCOLLECT, 0); }

/*
** Runs the source in the input as a library: it registers its functions. Returns 0, or what failed, with a text in the
** output: 1 the compilation, 2 the run.
*/
EXPORT("hp_load_library") int hp_load_library (size_t offset, size_t size) {
  lua_State *L = main_state;
  int failure = 0;
  lead_globals_to(L, LIBRARY_API);
  if (luaL_loadbuffer(L, input + offset, size, "@user_function") != 0) failure = 1;
  else {
    is_loading = 1;
    lua_sethook(L, count_hook, LUA_MASKCOUNT, HOOK_INTERVAL);
    if (lua_pcall(L, 0, 0, 0) != 0) failure = 2;
    lua_sethook(L, NULL, 0, 0);
    is_loading = 0;
    is_ending = 0;
  }
  lead_globals_to(L, GLOBALS_API);
  if (failure == 1) write_top_text(L);
  else if (failure == 2) {
    if (lua_istable(L, -1)) {
      lua_pushliteral(L, "err");
      lua_rawget(L, -2);
      lua_remove(L, -2);
    }
    else if (lua_isstring(L, -1)) {
      lua_pushliteral(L, "ERR ");
      lua_insert(L, -2);
      lua_concat(L, 2);
    }
    write_top_text(L);
  }
  return failure;
}

/* Pushes an array of `count` arguments from `first` on. */
static void push_arguments (lua_State *L, int first, int count) {
  int index;
  lua_createtable(L, count, 0);
  for (index = 0; index < count; index++) {
    const int *place = places + (first + index) * 2;
    lua_pushlstring(L, (const char *)place[0], (size_t)(place[1] - place[0]));
    lua_rawseti(L, -2, index + 1);
  }
}

/* Pops the table on top, and makes it a global of scripts, though they cannot change their globals. */
static void set_read_only_global (lua_State *L, enum field name) {
  Table *globals = hvalue(gt(L));
  setobj2t(L, luaH_setstr(L, globals, field_strings[name]), L->top - 1);
  luaC_barriert(L, globals, L->top - 1);
  L->top--;
}

/*
** Sets the globals KEYS or ARGV. The table of the script before is used again if it is as that script found it: nothing
** that a script leaves behind can lead to it.
*/
static void set_script_arguments (lua_State *L, enum field name, int first, int count) {
  const TValue *global = luaH_getstr(hvalue(gt(L)), field_strings[name]);
  Table *table = ttistable(global) ? hvalue(global) : NULL;
  int index;
  if (table == NULL || table->sizearray != count || table->metatable != NULL || !has_no_fields(table)) {
    push_arguments(L, first, count);
    set_read_only_global(L, name);
    return;
  }
  for (index = 0; index < count; index++) {
    const int *place = places + (first + index) * 2;
    TString *text = luaS_newlstr(L, (const char *)place[0], (size_t)(place[1] - place[0]));
    setsvalue(L, &table->array[index], text);
    luaC_objbarriert(L, table, text);
  }
}

struct run {
  int reference;
  int key_count;
  int argument_count;
  int is_for_scripts;
};

/* Puts function and arguments onto the runner's stack. */
static void prepare_run (lua_State *L, void *ud) {
  const struct run *run = ud;
  lua_rawgeti(runner, LUA_REGISTRYINDEX, run->reference);
  if (run->is_for_scripts) {
    luaC_checkGC(L);
    set_script_arguments(runner, KEYS, 0, run->key_count);
    set_script_arguments(runner, ARGV, run->key_count, run->argument_count);
    return;
  }
  push_arguments(runner, 0, run->key_count);
  push_arguments(runner, run->key_count, run->argument_count);
}

/*
** Writes the value on top and pops it if that needs neither memory nor a call, so that nothing can fail. Returns 0 if it
** did nothing.
*/
static int write_result_plainly (lua_State *L) {
  const TValue *value = L->top - 1;
  size_t size = ttisstring(value) ? tsvalue(value)->len : 0;
  if (ttistable(value) || size + PLAIN_REPLY_BYTES > output_capacity) return 0;
  write_value(L);
  return 1;
}

static int write_result (lua_State *L) {
  depth = 0;
  write_value(L);
  while (depth > 0) write_item(L);
  return 0;
}

/* Writes message, source and line of the error on top. */
static int write_failure (lua_State *L) {
  shared.is_counted = is_counted(L);
  shared.message_bytes = write_field(L, "err");
  shared.source_bytes = write_field(L, "source");
  shared.line_bytes = write_field(L, "line");
  return 0;
}

static int fail_plainly (const char *text) {
  size_t size = strlen(text);
  output_size = 0;
  shared.is_counted = 0;
  shared.source_bytes = -1;
  shared.message_bytes = -1;
  if (size > output_capacity) size = 0;
  memcpy(output, text, size);
  output_size = size;
  publish_output();
  return FAILED;
}

static int complete_error_protected (lua_State *L) {
  lua_State *failed = lua_touserdata(L, 1);
  complete_error(failed, 0);
  lua_settop(L, 0);
  lua_xmove(failed, L, 1);
  return write_failure(L);
}

static int finish (int status) {
  int outcome;
  if (status == LUA_YIELD) return SUSPENDED;
  output_size = 0;
  if (status == 0) {
    /* The first value alone is the reply. */
    lua_settop(runner, 1);
    if (write_result_plainly(runner)) {
      publish_output();
      outcome = DONE;
    }
    else {
      lua_pushcfunction(runner, write_result);
      lua_insert(runner, 1);
      if (lua_pcall(runner, 1, 0, 0) != 0) {
        outcome = fail_plainly("not enough memory");
        lua_settop(runner, 0);
      }
      else {
        publish_output();
        outcome = output[0] == '-' ? ERROR_REPLY : DONE;
      }
    }
  }
  else {
    if (status == LUA_ERRRUN && lua_cpcall(main_state, complete_error_protected, runner) == 0) {
      publish_output();
      outcome = FAILED;
    }
    else {
      lua_settop(main_state, 0);
      outcome = fail_plainly(status == LUA_ERRMEM ? "not enough memory" : "error in error handling");
    }
  }
  /* One that has caught the error of its end has left the hook behind. */
  if (status != 0 || is_ending) renew_runner();
  is_ending = 0;
  is_running = 0;
  return outcome;
}

struct resumption {
  int argument_count;
  int status;
};

/*
** Runs a function with the arguments that `places` tells: as KEYS and ARGV of a script, or passed to a function. The
** reply is encoded for a client of protocol `protocol`. Returns an outcome.
*/
EXPORT("hp_run") int hp_run (int reference, int key_count, int argument_count, int protocol, int is_for_scripts) {
  struct run run = {reference, key_count, argument_count, is_for_scripts};
  client_protocol = protocol;
  script_protocol = 2;
  is_running = 1;
  prepare_run(main_state, &run);
  return finish(lua_resume(runner, is_for_scripts ? 0 : 2));
}

/* Goes on with a suspended script. */
EXPORT("hp_resume") int hp_resume (void) { return finish(lua_resume(runner, 0)); }
