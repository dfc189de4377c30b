/**
 * Random commands of every data type, over a few keys and members, so that types collide and sizes cross the
 * thresholds of encodings. Commands are described by templates:
 *
 *   SET key value [NX|XX]     upper case stands for itself; a lower-case word for one random argument of its kind
 *   [a|b]                     one of these, or nothing
 *   (a|b)                     one of these
 *   (a b)+                    once or several times
 */
import type { SeededRandom } from 'headpond/test/seeded-random.ts'

export type Argument = string | Buffer

/**
 * How the two replies must agree. `unordered`: Redis promises no order of the elements; `pairs`: nor of pairs of them;
 * `shape`: chance chooses, so only types and counts agree; `near`: the time that is left; `encoding`: a name that later
 * versions changed; `scan`: a whole iteration gives the same elements; `exchange`: each server goes on with what the other dumps.
 */
export type Comparison = 'exact' | 'unordered' | 'pairs' | 'shape' | 'near' | 'encoding' | 'scan' | 'exchange'

export interface GeneratedCommand {
  readonly args: readonly Argument[]
  readonly comparison: Comparison
}

/** Commands that belong together, such as a transaction. */
export type Step = readonly GeneratedCommand[]

/**
 * Left out, as the replies depend on something else than the commands:
 * - the clock: relative expiry, TIME, IDLETIME, FREQ; DBSIZE, which counts what has expired and was not found yet
 * - order within a hash table: SORT without one, COUNT ... ANY, SUM of three sorted sets with infinite scores
 * - how it is stored: REFCOUNT, trimming with `~`, scores of -0 (whose sign redis-server 7.0 loses in listpacks only),
 *   coordinates of members that no GEOADD put there
 */
const TEMPLATES: Readonly<Record<Comparison, readonly string[]>> = {
  exact: [
    // Keys
    'DEL key [key]',
    'UNLINK key [key]',
    'EXISTS key [key]',
    'TYPE key',
    'TOUCH key [key]',
    'RENAME key key',
    'RENAMENX key key',
    'COPY key key [REPLACE]',
    'PERSIST key',
    'EXPIREAT key seconds [NX|XX|GT|LT]',
    'PEXPIREAT key milliseconds [NX|XX|GT|LT]',
    'EXPIRETIME key',
    'PEXPIRETIME key',
    // Strings
    'SET key value [NX|XX] [GET] [EXAT seconds|PXAT milliseconds|KEEPTTL]',
    'SET key value',
    'SET key integer',
    'SETNX key value',
    'GETSET key value',
    'GET key',
    'GETDEL key',
    'GETEX key [EXAT seconds|PXAT milliseconds|PERSIST]',
    'MGET (key)+',
    'MSET (key value)+',
    'MSETNX (key value)+',
    'STRLEN key',
    'APPEND key value',
    'GETRANGE key index index',
    'SUBSTR key index index',
    'SETRANGE key offset value',
    'INCR key',
    'DECR key',
    'INCRBY key integer',
    'DECRBY key integer',
    'INCRBYFLOAT key float',
    'LCS key key [LEN|IDX] [MINMATCHLEN count] [WITHMATCHLEN]',
    // Bitmaps
    'SETBIT key offset bit',
    'GETBIT key offset',
    'BITCOUNT key [index index [BYTE|BIT]]',
    'BITPOS key bit [index [index [BYTE|BIT]]]',
    'BITOP (AND|OR|XOR) key (key)+',
    'BITOP NOT key key',
    'BITFIELD key (GET bits offset|[OVERFLOW (WRAP|SAT|FAIL)] SET bits offset amount|INCRBY bits #count amount)+',
    'BITFIELD_RO key (GET bits offset)+',
    // Hashes
    'HSET key (field value)+',
    'HMSET key (field value)+',
    'HSETNX key field value',
    'HGET key field',
    'HMGET key (field)+',
    'HDEL key (field)+',
    'HEXISTS key field',
    'HLEN key',
    'HSTRLEN key field',
    'HINCRBY key field integer',
    'HINCRBYFLOAT key field float',
    // Lists
    'LPUSH key (member)+',
    'RPUSH key (member)+',
    'LPUSHX key (member)+',
    'RPUSHX key (member)+',
    'LPOP key [count]',
    'RPOP key [count]',
    'LLEN key',
    'LINDEX key index',
    'LSET key index member',
    'LINSERT key (BEFORE|AFTER) member member',
    'LRANGE key index index',
    'LREM key index member',
    'LTRIM key index index',
    'LPOS key member [RANK index] [COUNT count] [MAXLEN count]',
    'LMOVE key key (LEFT|RIGHT) (LEFT|RIGHT)',
    'RPOPLPUSH key key',
    'LMPOP 2 key key (LEFT|RIGHT) [COUNT count]',
    'BLMPOP 0.001 2 key key (LEFT|RIGHT) [COUNT count]',
    'BLPOP key key 0.001',
    'BRPOP key 0.001',
    'BLMOVE key key (LEFT|RIGHT) (LEFT|RIGHT) 0.001',
    'BRPOPLPUSH key key 0.001',
    // Sets
    'SADD key (member)+',
    'SADD key (integer)+',
    'SREM key (member)+',
    'SCARD key',
    'SISMEMBER key member',
    'SMISMEMBER key (member)+',
    'SMOVE key key member',
    'SINTERSTORE key (key)+',
    'SUNIONSTORE key (key)+',
    'SDIFFSTORE key (key)+',
    'SINTERCARD 2 key key [LIMIT count]',
    // Sorted sets
    'ZADD key [NX|XX|GT|LT] [CH] (score member)+',
    'ZADD key (score member)+',
    'ZADD key [NX|XX|GT|LT] INCR score member',
    'ZINCRBY key score member',
    'ZREM key (member)+',
    'ZCARD key',
    'ZSCORE key member',
    'ZMSCORE key (member)+',
    'ZRANK key member',
    'ZREVRANK key member',
    'ZCOUNT key bound bound',
    'ZADD level (0 member)+',
    'ZREM level (member)+',
    'ZLEXCOUNT level text text',
    'ZRANGE key index index [REV] [WITHSCORES]',
    'ZRANGE key bound bound BYSCORE [REV] [LIMIT index index] [WITHSCORES]',
    'ZREVRANGE key index index [WITHSCORES]',
    'ZRANGEBYSCORE key bound bound [WITHSCORES] [LIMIT index index]',
    'ZREVRANGEBYSCORE key bound bound [WITHSCORES] [LIMIT index index]',
    'ZRANGEBYLEX level text text [LIMIT index index]',
    'ZREVRANGEBYLEX level text text [LIMIT index index]',
    'ZRANGE level text text BYLEX [REV] [LIMIT index index]',
    'ZRANGESTORE key key index index [REV]',
    'ZRANGESTORE key key bound bound BYSCORE [REV] [LIMIT index index]',
    'ZRANGESTORE key level text text BYLEX [REV]',
    'ZREMRANGEBYRANK key index index',
    'ZREMRANGEBYSCORE key bound bound',
    'ZREMRANGEBYLEX level text text',
    'ZPOPMIN key [count]',
    'ZPOPMAX key [count]',
    'ZMPOP 2 key key (MIN|MAX) [COUNT count]',
    'BZMPOP 0.001 2 key key (MIN|MAX) [COUNT count]',
    'BZPOPMIN key key 0.001',
    'BZPOPMAX key 0.001',
    'ZUNION 2 key key [WEIGHTS score score] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]',
    'ZINTER 2 key key [WEIGHTS score score] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]',
    'ZDIFF 2 key key [WITHSCORES]',
    'ZUNIONSTORE key 2 key key [WEIGHTS score score] [AGGREGATE (SUM|MIN|MAX)]',
    'ZINTERSTORE key 2 key key [WEIGHTS score score] [AGGREGATE (SUM|MIN|MAX)]',
    'ZUNIONSTORE key 3 key key key AGGREGATE (MIN|MAX)',
    'ZDIFFSTORE key 3 key key key',
    'ZINTERCARD 2 key key [LIMIT count]',
    // Places
    'GEOADD place [NX|XX] [CH] (longitude latitude member)+',
    'GEODIST place member member [M|KM|FT|MI]',
    'GEOHASH place (member)+',
    'GEOPOS place (member)+',
    // Streams
    'XADD key id (field value)+',
    'XADD key NOMKSTREAM (MAXLEN|MAXLEN =) count id field value',
    'XADD key MINID id id field value',
    'XLEN key',
    'XRANGE key (-|id) (+|id) [COUNT count]',
    'XREVRANGE key (+|id) (-|id) [COUNT count]',
    'XDEL key (id)+',
    'XTRIM key MAXLEN count',
    'XTRIM key MINID id',
    'XREAD [COUNT count] STREAMS key key id id',
    'XSETID key id [ENTRIESADDED count MAXDELETEDID id]',
    'XGROUP CREATE key group (id|$) [MKSTREAM]',
    'XGROUP SETID key group (id|$)',
    'XGROUP DESTROY key group',
    'XGROUP CREATECONSUMER key group group',
    'XGROUP DELCONSUMER key group group',
    'XREADGROUP GROUP group group [COUNT count] [NOACK] STREAMS key (>|id)',
    'XACK key group (id)+',
    'XPENDING key group',
    'XCLAIM key group group 0 (id)+ [FORCE] [JUSTID]',
    'XAUTOCLAIM key group group 0 id [COUNT count] [JUSTID]',
    'XINFO GROUPS key',
    // HyperLogLog
    'PFADD key (member)+',
    'PFADD key',
    'PFCOUNT (key)+',
    'PFMERGE key (key)+',
    // Sorting
    'SORT key [LIMIT index index] [ASC|DESC] [ALPHA]',
    'SORT key [BY (k*|k*->f1)] [GET (#|k*|k*->f2)] [LIMIT index index] [ASC|DESC]',
    'SORT key [ASC|DESC] [ALPHA] STORE key',
    'SORT_RO key [GET #] [LIMIT index index] [DESC] [ALPHA]',
  ],
  unordered: [
    'KEYS (*|k[0-3]|k?|[^k]*)',
    'HKEYS key',
    'HVALS key',
    'SMEMBERS key',
    'SINTER (key)+',
    'SUNION (key)+',
    'SDIFF (key)+',
    'SPOP key 100000',
    'SORT key BY k* ALPHA',
    'GEOSEARCH place FROMLONLAT longitude latitude BYRADIUS radius (M|KM)',
    'GEOSEARCH place FROMMEMBER member BYBOX radius radius KM [WITHCOORD] [WITHDIST] [WITHHASH]',
    'GEORADIUS_RO place longitude latitude radius KM [WITHCOORD] [WITHDIST]',
  ],
  pairs: ['HGETALL key'],
  shape: [
    'RANDOMKEY',
    'HRANDFIELD key [count [WITHVALUES]]',
    'SRANDMEMBER key [count]',
    'SRANDMEMBER key -count',
    'ZRANDMEMBER key [count [WITHSCORES]]',
  ],
  near: ['TTL key', 'PTTL key'],
  encoding: ['OBJECT ENCODING key'],
  exchange: ['DUMP key'],
  scan: [
    'SCAN 0 [MATCH k[0-4]] [COUNT count] [TYPE (string|list|set|hash|zset|stream)]',
    'HSCAN key 0 [MATCH *1*] [COUNT count]',
    'SSCAN key 0 [MATCH *1*] [COUNT count]',
    'ZSCAN key 0 [MATCH *1*] [COUNT count]',
  ],
}

/** Sorted sets whose scores are all the same: ranges of text have no meaning elsewhere. */
const LEVEL_KEYS: readonly string[] = ['z0', 'z1']
/** Sorted sets whose scores are places on Earth. */
const PLACE_KEYS: readonly string[] = ['p0', 'p1']
const MIXED_KEYS: readonly string[] = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7']
export const KEYS: readonly string[] = [...MIXED_KEYS, ...LEVEL_KEYS, ...PLACE_KEYS]

const LONG = 'long'.repeat(20) // over 64 bytes: beyond the usual *-max-listpack-value
const INTEGERS = ['-1', '0', '1', '2', '3', '4', '5', '6', '7', '10', '-300', '70000', '-5000000000']
const EDGES = ['9223372036854775807', '-9223372036854775808', '9223372036854775806']
const JUNK = ['', 'x', '9223372036854775808', '-1', '0', 'nan', '1e400', '1.5', ' 1', '+1', '01', 'LIMIT', 'COUNT', '(']
const SCORES = ['0', '1', '2', '-3', '1.5', '0.25', '1e10', '100', '3', '7']

const KINDS: Readonly<Record<string, (random: SeededRandom) => Argument>> = {
  place: (random) => random.pick(PLACE_KEYS),
  level: (random) => random.pick(LEVEL_KEYS),
  field: (random) => (random.once(30) ? random.pick(['', LONG]) : `f${random.below(12)}`),
  member: (random) => {
    if (random.once(3)) return random.pick(INTEGERS)
    if (random.once(25)) return random.pick(['', LONG, ...EDGES, '1.5', 'x\0y'])
    if (random.once(25)) return random.bytes(random.below(20))
    return `m${random.below(30)}`
  },
  value: (random) => {
    if (random.once(3)) return random.pick(INTEGERS)
    if (random.once(15)) return random.pick([LONG, ...EDGES, '3.25', '1e3', '', ' 1', 'ohmytext', 'mynewtext'])
    if (random.once(20)) return random.bytes(random.below(90))
    return `v${random.below(10)}`
  },
  integer: (random) => (random.once(12) ? random.pick(EDGES) : String(random.below(40) - 10)),
  // With 64 bits, redis-server's own arithmetic overflows when it saturates a bit field.
  amount: (random) => random.pick([...INTEGERS, '300', '-9', '1099511627776', '-1099511627777']),
  float: (random) => random.pick(['0.1', '-0.25', '3', '1e5', '1e-7', '-1.5e20', '0.3333333333333333', '10', '-2']),
  score: (random) => (random.once(25) ? random.pick(['inf', '-inf']) : random.pick(SCORES)),
  bound: (random) => {
    if (random.once(4)) return random.pick(['-inf', '+inf', 'inf'])
    return (random.once(4) ? '(' : '') + random.pick(SCORES)
  },
  text: (random) => random.pick(['-', '+', '[m', '(m1', '[m15', '[m3', '(m9', '[1', '[', '(']),
  index: (random) => String(random.below(14) - 5),
  count: (random) => String(random.once(20) ? 100 : random.below(6)),
  offset: (random) => String(random.once(8) ? random.below(3000) : random.below(40)),
  bit: (random) => String(random.below(2)),
  bits: (random) => random.pick(['u1', 'i5', 'u8', 'i16', 'u31', 'i64', 'u63']),
  // Far from now, or long ago, which deletes.
  seconds: (random) => (random.once(8) ? '1000' : String(4_102_444_800 + random.below(3))),
  milliseconds: (random) => (random.once(8) ? '1000' : String(4_102_444_800_000 + random.below(3))),
  longitude: (random) => (random.below(3600) / 10 - 180).toFixed(1),
  latitude: (random) => (random.below(1700) / 10 - 85).toFixed(1),
  radius: (random) => random.pick(['0', '100', '2000.5', '8000', '30000']),
  id: (random) => (random.once(10) ? '0' : `${random.below(30)}-${random.below(3)}`),
  group: (random) => `g${random.below(2)}`,
}

/**
 * What a sequence can be mostly about, so that values grow: the names of commands that belong to it, and how it grows.
 */
const FAMILIES: readonly { readonly names: RegExp; readonly growing: readonly string[] }[] = [
  {
    names: /^(GET|SET|STRLEN|SUBSTR|APPEND|INCR|DECR|MGET|MSET|LCS|BIT|PF)/,
    growing: ['SET key value', 'APPEND key value', 'SETBIT key offset 1', 'PFADD key (member)+'],
  },
  { names: /^H/, growing: ['HSET key (field value)+'] },
  { names: /^(L(?!CS)|RP|BL|BR)/, growing: ['RPUSH key (member)+', 'LPUSH key (member)+'] },
  {
    names: /^S(ADD|REM|CARD|ISM|MISM|MOVE|INTER|UNION|DIFF|MEMB|POP|RAND|SCAN)/,
    growing: ['SADD key (member)+', 'SADD key (integer)+'],
  },
  {
    names: /^(Z|BZ|GEO)/,
    growing: ['ZADD key (score member)+', 'ZADD level (0 member)+', 'GEOADD place (longitude latitude member)+'],
  },
  { names: /^X/, growing: ['XADD key id (field value)+', 'XADD key id field value', 'XGROUP CREATE key group 0'] },
]

/** Settings under which few elements are enough to cross a threshold, beside the usual ones. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  'hash-max-listpack-entries': ['512', '4', '0'],
  'hash-max-listpack-value': ['64', '4'],
  'zset-max-listpack-entries': ['128', '4', '0'],
  'zset-max-listpack-value': ['64', '2'],
  'set-max-intset-entries': ['512', '4', '0'],
  'list-max-listpack-size': ['-2', '4', '1', '-1'],
  'list-compress-depth': ['0', '1'],
  'stream-node-max-entries': ['100', '4', '1'],
  'hll-sparse-max-bytes': ['3000', '30', '0'],
}

/** What a sequence begins with, so that it does not depend on the one before. */
export const RESET: readonly Step[] = [
  [{ args: ['HELLO', '2'], comparison: 'shape' }],
  [bare('FLUSHALL')],
  ...Object.entries(SETTINGS).map(([name, [usual]]) => [bare('CONFIG', 'SET', name, usual)]),
]

type Node =
  | { readonly word: string }
  | { readonly choices: readonly (readonly Node[])[]; readonly isOptional: boolean; readonly isRepeated: boolean }

interface Template {
  readonly nodes: readonly Node[]
  readonly comparison: Comparison
  readonly family: number
}

function templateOf(text: string, comparison: Comparison): Template {
  return { nodes: parseTemplate(text), comparison, family: FAMILIES.findIndex(({ names }) => names.test(text)) }
}

function parseTemplate(text: string): Node[] {
  // A bracket within a word belongs to it, as in k[0-3].
  const tokens = text.match(/[^\s[\]()|]+\[[^\]\s]*\]\*?|\[\^[^\]\s]*\]\*?|\)\+|[[\]()|]|[^\s[\]()|]+/g) ?? []
  let at = 0
  const sequence = (): Node[] => {
    const nodes: Node[] = []
    while (at < tokens.length && !/^(\]|\)|\)\+|\|)$/.test(tokens[at])) {
      const token = tokens[at++]
      if (token !== '[' && token !== '(') {
        nodes.push({ word: token })
        continue
      }
      const choices = [sequence()]
      while (tokens[at] === '|') {
        at++
        choices.push(sequence())
      }
      nodes.push({ choices, isOptional: token === '[', isRepeated: tokens[at++] === ')+' })
    }
    return nodes
  }
  return sequence()
}

/** Makes the commands of one sequence. */
export class CommandGenerator {
  readonly #random: SeededRandom
  readonly #all: readonly Template[]
  /** What this sequence is about. Each of its families is at home in a few of the keys. */
  readonly #families: readonly number[]
  readonly #focused: readonly Template[]
  readonly #growing: readonly Template[]

  /** Takes only commands that both servers have, given by names in lower case. */
  constructor(random: SeededRandom, names: ReadonlySet<string>) {
    this.#random = random
    const isKnown = (text: string) => names.has(text.split(' ')[0].toLowerCase())
    this.#all = (Object.keys(TEMPLATES) as Comparison[]).flatMap((comparison) =>
      TEMPLATES[comparison].filter(isKnown).map((text) => templateOf(text, comparison)),
    )
    this.#families = Array.from({ length: 1 + random.below(3) }, () => random.below(FAMILIES.length))
    this.#focused = this.#all.filter(({ family }) => this.#families.includes(family))
    this.#growing = this.#families
      .flatMap((family) => FAMILIES[family].growing.filter(isKnown))
      .map((text) => templateOf(text, 'exact'))
  }

  /** The settings of a sequence: the usual ones in every second one. */
  settings(): Step[] {
    if (this.#random.once(2)) return []
    return Object.entries(SETTINGS).map(([name, values]) => [bare('CONFIG', 'SET', name, this.#random.pick(values))])
  }

  next(): Step {
    if (this.#random.once(25)) return this.#transaction()
    if (this.#random.once(60)) return this.#randomPop()
    return this.#commands(this.#template())
  }

  #template(): Template {
    if (this.#random.once(4)) return this.#random.pick(this.#all)
    const choices = this.#random.once(4) ? this.#growing : this.#focused
    return this.#random.pick(choices.length > 0 ? choices : this.#all)
  }

  #transaction(): Step {
    const templates = Array.from({ length: 1 + this.#random.below(8) }, () => this.#template())
    const queued = templates.filter(({ comparison }) => comparison === 'exact').map((each) => this.#commands(each))
    return [bare('MULTI'), ...queued.flat(), bare('EXEC')]
  }

  /** Chance leaves the two sets different, so they go. */
  #randomPop(): Step {
    const key = this.#random.pick(MIXED_KEYS)
    const count = this.#random.once(2) ? [] : [String(this.#random.below(5))]
    return [{ args: ['SPOP', key, ...count], comparison: 'shape' }, bare('SCARD', key), bare('DEL', key)]
  }

  #commands({ nodes, comparison, family }: Template): GeneratedCommand[] {
    const args: Argument[] = []
    this.#fill(nodes, args, family)
    const [key, group, consumer] = consumerOf(args)
    if (key !== undefined) {
      return [
        { args: ['XGROUP', 'CREATECONSUMER', key, group, consumer], comparison },
        { args, comparison },
      ]
    }
    if (isBreakable(args, comparison) && this.#random.once(20)) this.#break(args)
    return [{ args, comparison }]
  }

  #fill(nodes: readonly Node[], args: Argument[], family: number): void {
    for (const node of nodes) {
      if ('word' in node) args.push(node.word === 'key' ? this.#key(family) : this.#argument(node.word))
      else if (!node.isOptional || this.#random.once(2)) {
        let times = 1
        if (node.isRepeated) times = this.#random.once(15) ? 10 + this.#random.below(30) : 1 + this.#random.below(4)
        for (; times > 0; times--) this.#fill(this.#random.pick(node.choices), args, family)
      }
    }
  }

  /** Mostly a key where the family is at home. */
  #key(family: number): string {
    const home = this.#families.indexOf(family)
    if (home < 0 || this.#random.once(8)) return this.#random.pick(MIXED_KEYS)
    return MIXED_KEYS[2 * home + this.#random.below(2)]
  }

  #argument(word: string): Argument {
    const [, sign, kind] = /^([-#]?)(.*)$/.exec(word) as RegExpExecArray
    const make = KINDS[kind]
    return make === undefined ? word : sign === '' ? make(this.#random) : sign + make(this.#random)
  }

  /** Makes a command slightly invalid, perhaps. */
  #break(args: Argument[]): void {
    const at = 1 + this.#random.below(args.length - 1)
    const way = this.#random.below(3)
    if (way === 0) args.splice(at, 1)
    else if (way === 1) args.splice(at, 0, args[at])
    else args[at] = this.#random.pick(JUNK)
  }
}

/** Key, group and consumer of a command that since 7.2 makes the consumer in any case, else nothing. */
function consumerOf(args: readonly Argument[]): readonly Argument[] {
  if (args[0] === 'XCLAIM' || args[0] === 'XAUTOCLAIM') return args.slice(1, 4)
  return args[0] === 'XREADGROUP' ? [args[args.length - 2], args[2], args[3]] : []
}

/**
 * A broken SORT could come to be one without order, a broken SPOP one of chance, a broken ZADD would leave scores that
 * are not all the same, a broken timeout could be none, and later versions take one more argument of ZRANK.
 */
function isBreakable(args: readonly Argument[], comparison: Comparison): boolean {
  if (comparison === 'shape' || comparison === 'scan' || comparison === 'exchange') return false
  return (
    args.length > 1 &&
    !/^(SORT.*|SPOP|ZRANK|ZREVRANK|B[LRZ].*)$/.test(String(args[0])) &&
    !LEVEL_KEYS.includes(String(args[1]))
  )
}

function bare(...args: string[]): GeneratedCommand {
  return { args, comparison: 'exact' }
}
