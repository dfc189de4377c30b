/**
 * Random Lua scripts over everything that a script can name: each runs a few statements, every one under pcall, and
 * returns what each came to, as text that is the same wherever the script means the same. (The sign of a number that is none
 * is nobody's choice: processors and compilers differ in it.)
 *
 * None of them takes long or much memory: loops are short, and no large number reaches what repeats or allocates.
 */
import type { SeededRandom } from '../seeded-random.ts'

/** Turns values into text: tables with their keys in order, without addresses and without asking metatables. */
const PRELUDE = `
local function show(value, depth)
  local kind = type(value)
  if kind == 'string' then return string.format('%q', value) end
  if kind == 'number' then return string.format('%.17g', value) end
  if kind ~= 'table' then
    if kind == 'boolean' or kind == 'nil' then return tostring(value) end
    return kind
  end
  if depth == 0 then return '{...}' end
  local parts, key, item = {}, next(value)
  while key ~= nil and #parts < 40 do
    parts[#parts + 1] = show(key, depth - 1) .. '=' .. show(item, depth - 1)
    key, item = next(value, key)
  end
  table.sort(parts)
  return '{' .. table.concat(parts, ',') .. '}'
end
local results = {}
local function note(...)
  local parts = {}
  for index = 1, math.min(select('#', ...), 20) do parts[index] = show((select(index, ...)), 3) end
  local text = table.concat(parts, ' ')
  results[#results + 1] = text:gsub('0x%x+', '0x'):gsub('%-nan', 'nan')
end
local a, b, c = {1, 2, 3}, 'text', {x = 1, y = {z = 'deep'}}
`

/** Every function that scripts are given, but for those whose answer is the time or the use of memory. */
const FUNCTIONS = (
  'assert error getmetatable ipairs load loadstring next pairs pcall rawequal rawget rawset select setmetatable tonumber ' +
  'type unpack xpcall string.byte string.char string.find string.format string.gmatch string.gsub string.len string.lower ' +
  'string.match string.reverse string.sub string.upper table.concat table.foreach table.foreachi table.getn table.insert ' +
  'table.maxn table.remove table.sort math.abs math.ceil math.cos math.exp math.floor math.fmod math.frexp math.ldexp ' +
  'math.log math.log10 math.max math.min math.modf math.pow math.sin math.sqrt cjson.encode cjson.decode cmsgpack.pack ' +
  'cmsgpack.unpack cmsgpack.unpack_one cmsgpack.unpack_limit struct.pack struct.unpack struct.size bit.tobit bit.tohex ' +
  'bit.bnot bit.band bit.bor bit.bxor bit.lshift bit.rshift bit.arshift bit.rol bit.ror bit.bswap redis.sha1hex ' +
  'redis.error_reply redis.status_reply redis.setresp redis.log redis.set_repl redis.acl_check_cmd redis.breakpoint ' +
  'coroutine.create coroutine.resume coroutine.status coroutine.wrap coroutine.yield redis.register_function'
).split(' ')

/** What is not there for scripts, or must not be changed by them. */
const FORBIDDEN = (
  'os.execute os.exit os.getenv os.remove io.open io.popen debug.getinfo debug.sethook debug.getregistry package.loadlib ' +
  'require dofile loadfile module print getfenv setfenv newproxy process globalThis redis.new_command redis.__index'
).split(' ')

const GLOBALS = '_G redis string table math cjson cmsgpack struct bit coroutine KEYS ARGV'.split(' ')

const NUMBERS =
  '0 1 -1 2 3 7 0.5 -0.5 1.5 10 31 32 33 64 100 127 128 255 256 65535 1e10 2^31 2^32 2^53 -2^31 2^63 -2^63 1e300 1/0 -1/0 0/0'.split(
    ' ',
  )

const TEXTS = [
  "''",
  "'a'",
  "'hello world'",
  "'\\0'",
  "'a\\0b'",
  "'\\255\\254'",
  "'12'",
  "'0x10'",
  "'1e5'",
  "'%d'",
  "'%s|%5.2f'",
  "'%q'",
  "'(%w+) (%w+)'",
  "'[%a_]+'",
  "'%b()'",
  "'.-l'",
  "'^%s*'",
  "'%f[%w]'",
  "'['",
  "'%'",
  '\'[1,2,{"a":null}]\'',
  '\'{"k":[1.5,true,"\\\\u00e9"]}\'',
  "'[1,'",
  "'\\147\\1\\161a\\192'",
  "'\\129\\161k\\203'",
  "'>i4s'",
  "'<hBd'",
  "'bc0'",
  "'i9'",
  "'return 1 + 1'",
  "'return _G'",
  "'x = 1'",
  "'return ('",
  "'\\27Lua'",
  "'__index'",
  "'SET'",
]

const KEYS = ["'own:1'", "'own:2'", "'own:list'", "'own:hash'", 'KEYS[1]', "'secret:1'", "'secret:2'"]

/** Commands that keep within a few keys, `key` and `text` standing for random ones. */
const COMMANDS = (
  "'GET', key|'SET', key, text|'APPEND', key, text|'INCR', key|'STRLEN', key|'GETRANGE', key, 0, -1|'DEL', key|" +
  "'EXISTS', key, key|'TYPE', key|'LPUSH', key, text, text|'LRANGE', key, 0, -1|'LPOP', key|'HSET', key, text, text|" +
  "'HGETALL', key|'SADD', key, text, text|'SCARD', key|'ZADD', key, 1.5, text|'ZRANGE', key, 0, -1, 'WITHSCORES'|" +
  "'ZSCORE', key, text|'MGET', key, key|'MSET', key, text, key, text|'RENAME', key, key|'COPY', key, key|'DUMP', key|" +
  "'OBJECT', 'ENCODING', key|'SORT', key, 'BY', 'nosort', 'GET', key|'EVAL', 'return 1', 0|'MULTI'|'EXEC'|'WATCH', key|" +
  "'SUBSCRIBE', key|'MONITOR'|'CLIENT', 'KILL', 'ID', 1|'CONFIG', 'GET', 'dir'|'DEBUG', 'SLEEP', 0|'SAVE'|'SHUTDOWN'|" +
  "'FLUSHALL'|'FLUSHDB'|'SWAPDB', 0, 1|'KEYS', '*'|'ACL', 'WHOAMI'|'SCRIPT', 'FLUSH'|'FUNCTION', 'FLUSH'|'BLPOP', key, 0|" +
  "'WAIT', 0, 0|'PING'|'ECHO', text|'GET'|'NOSUCH', key|text|'SELECT', 1|'MOVE', key, 1|'RESTORE', key, 0, text|'TYPE'"
).split('|')

export class ScriptGenerator {
  readonly #random: SeededRandom
  /** Whether forbidden names and other people's keys come up too. */
  readonly #isHostile: boolean

  constructor(random: SeededRandom, options: { readonly isHostile: boolean }) {
    this.#random = random
    this.#isHostile = options.isHostile
  }

  script(): string {
    const statements = Array.from({ length: 2 + this.#random.below(6) }, () => this.#statement())
    return `${PRELUDE}${statements.map((text) => `note(pcall(function() ${text} end))`).join('\n')}\nreturn results`
  }

  #statement(): string {
    const random = this.#random
    const choice = random.below(this.#isHostile ? 16 : 12)
    switch (choice) {
      case 0:
        return `local t = ${this.#value(2)} t[${this.#value(1)}] = ${this.#value(1)} return t`
      case 1:
        return `for i = 1, ${1 + random.below(4)} do a[i] = ${this.#value(2)} end return a`
      case 2:
        return `local t = setmetatable({}, {${random.pick(['__index', '__call', '__lt', '__add', '__concat', '__len', '__tostring', '__newindex', '__gc', '__mode', '__metatable'])} = ${this.#callable()}}) return ${random.pick(['t.x', 't()', 't < t', 't + 1', "t .. 'x'", '#t', 'tostring(t)', 'getmetatable(t)'])}`
      case 3:
        return `local co = coroutine.wrap(function(...) ${this.#result()} end) return co(${this.#arguments()})`
      case 4:
        return `return xpcall(${this.#callable()}, ${this.#callable()})`
      case 5:
      case 6:
        return `return redis.${random.pick(['call', 'pcall'])}(${this.#command()})`
      case 12:
        return `${random.pick(GLOBALS)}.${random.pick(['x', 'call', 'encode', '__index', 'sub'])} = ${this.#value(1)}`
      case 13:
        return `rawset(${random.pick(GLOBALS)}, ${this.#value(1)}, ${this.#value(1)})`
      case 14:
        return `return setmetatable(${random.pick([...GLOBALS, "''", 'getmetatable(_G)', "getmetatable('')"])}, ${this.#value(2)})`
      case 15:
        return `local t = getmetatable(${random.pick([...GLOBALS, "''", '1', 'pcall'])}) t.__index = ${this.#value(1)} ${random.pick(FORBIDDEN)}()`
      default:
        return this.#result()
    }
  }

  #result(): string {
    return `return ${this.#value(3)}, ${this.#value(1)}`
  }

  #command(): string {
    const key = () => (this.#isHostile ? this.#random.pick(KEYS) : this.#random.pick(KEYS.slice(0, 5)))
    return this.#random
      .pick(this.#isHostile ? COMMANDS : COMMANDS.slice(0, 22))
      .replace(/\bkey\b/g, key)
      .replace(/\btext\b/g, () => this.#random.pick([...TEXTS, ...NUMBERS.slice(0, 20)]))
  }

  #callable(): string {
    if (this.#random.once(3)) return `function(...) ${this.#result()} end`
    if (this.#isHostile && this.#random.once(8)) return this.#random.pick(FORBIDDEN)
    return this.#random.pick(FUNCTIONS)
  }

  #arguments(): string {
    return Array.from({ length: this.#random.below(4) }, () => this.#value(1)).join(', ')
  }

  #value(depth: number): string {
    const random = this.#random
    const choice = random.below(depth > 0 ? 14 : 5)
    switch (choice) {
      case 0:
      case 1:
        return random.pick(NUMBERS)
      case 2:
      case 3:
        return random.pick(TEXTS)
      case 4:
        return random.pick(['nil', 'true', 'false', 'a', 'b', 'c', 'cjson.null', '{}', '{1, 2, nil, 4}', '{x = {1}}'])
      case 5:
        return `{${this.#value(depth - 1)}, ${random.pick(['x', 'ok', 'err', 'map', 'double'])} = ${this.#value(depth - 1)}}`
      case 6:
        return `(${this.#value(depth - 1)} ${random.pick(['+', '-', '*', '/', '%', '..', '==', '<', '<=', 'and', 'or'])} ${this.#value(depth - 1)})`
      case 7:
        return `${random.pick(['#', '-', 'not '])}(${this.#value(depth - 1)})`
      case 8:
        return `(${random.pick(TEXTS)}):${random.pick(['find', 'match', 'gsub', 'sub', 'byte', 'format', 'upper', 'len'])}(${this.#arguments()})`
      case 9:
        return this.#isHostile ? `${random.pick(GLOBALS)}[${this.#value(0)}]` : `c.y.${random.pick(['z', 'x'])}`
      default:
        return `${this.#callable()}(${this.#arguments()})`
    }
  }
}
