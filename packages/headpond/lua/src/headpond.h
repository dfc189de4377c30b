/*
** What the changed files of Lua ask of headpond.c.
*/

#ifndef headpond_h
#define headpond_h

#include "lua.h"

/* Calls f(L, ud) and returns when it returns or calls `headpond_throw`. */
void headpond_try (void (*f) (lua_State *L, void *ud), lua_State *L, void *ud);

_Noreturn void headpond_throw (void);

/* To be called now and then by what may take long and is no Lua code: raises an error when the script is to end. */
void headpond_check (lua_State *L);

/* Whether this is the thread that scripts run in, which scripts are to take for the main one. */
int headpond_is_runner (lua_State *L);

#endif
