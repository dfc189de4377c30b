// Throughput of every data type: the tests that redis-benchmark runs by default, and commands that it has no test for.

import { collection, consumed, counters, emptyServer, type Fixture, nothing, strings } from './fixtures.ts'
import type { RespOptions } from './options.ts'
import { connectionCount, keyCount, type Line } from './redis-benchmark.ts'
import type { Report } from './report.ts'
import type { ServerSpec } from './servers.ts'
import { measureLines, metricsOf } from './throughput.ts'

const pipelines = [1, 16]
/** What redis-benchmark writes unless it is told otherwise. */
const valueBytes = 3
const value = 'x'.repeat(valueBytes)

const element = 'element:__rand_int__'
const elementCount = keyCount
const plainStrings = strings(valueBytes)
const list = collection('a list', { type: 'list', key: 'mylist', elementCount, value })
const set = collection('a set', { type: 'set', key: 'myset', elementCount })
const hash = collection('a hash', { type: 'hash', key: 'myhash', elementCount, value })
const integerHash = collection('a hash of integers', { type: 'hash', key: 'myhash', elementCount, value: '0' })
const smallHash = collection('a small hash', { type: 'hash', key: 'myhash', elementCount: 100 })
const sortedSet = collection('a sorted set', { type: 'zset', key: 'myzset', elementCount })

interface Test {
  name: string
  /** Of redis-benchmark: its own name for the test; absent when the sample is the workload. */
  own?: string
  command: string
  fixture: Fixture
  weight?: number
}

const tests: readonly Test[] = [
  { name: 'ping_inline', own: 'ping_inline', command: 'PING', fixture: nothing },
  { name: 'ping_mbulk', own: 'ping_mbulk', command: 'PING', fixture: nothing },
  { name: 'set', own: 'set', command: `SET key:__rand_int__ ${value}`, fixture: plainStrings },
  { name: 'get', own: 'get', command: 'GET key:__rand_int__', fixture: plainStrings },
  { name: 'mset', own: 'mset', command: `MSET key:__rand_int__ ${value}`, fixture: plainStrings, weight: 10 },
  { name: 'incr', own: 'incr', command: 'INCR counter:__rand_int__', fixture: counters },
  { name: 'lpush', own: 'lpush', command: `LPUSH mylist ${value}`, fixture: emptyServer },
  { name: 'rpush', own: 'rpush', command: `RPUSH mylist ${value}`, fixture: emptyServer },
  { name: 'lpop', own: 'lpop', command: 'LPOP mylist', fixture: consumed(list, elementCount) },
  { name: 'rpop', own: 'rpop', command: 'RPOP mylist', fixture: consumed(list, elementCount) },
  { name: 'sadd', own: 'sadd', command: `SADD myset ${element}`, fixture: emptyServer },
  { name: 'hset', own: 'hset', command: `HSET myhash ${element} ${value}`, fixture: emptyServer },
  { name: 'spop', own: 'spop', command: 'SPOP myset', fixture: consumed(set, elementCount) },
  { name: 'zadd', own: 'zadd', command: `ZADD myzset 0 ${element}`, fixture: emptyServer, weight: 2 },
  { name: 'zpopmin', own: 'zpopmin', command: 'ZPOPMIN myzset', fixture: consumed(sortedSet, elementCount), weight: 2 },
  // redis-benchmark's own tests of LRANGE push onto the list as many elements as they send commands, each time.
  { name: 'lrange_100', command: 'LRANGE mylist 0 99', fixture: list, weight: 8 },
  { name: 'lrange_300', command: 'LRANGE mylist 0 299', fixture: list, weight: 20 },
  { name: 'lrange_500', command: 'LRANGE mylist 0 499', fixture: list, weight: 30 },
  { name: 'lrange_600', command: 'LRANGE mylist 0 599', fixture: list, weight: 40 },
  { name: 'hget', command: `HGET myhash ${element}`, fixture: hash },
  { name: 'hgetall_100', command: 'HGETALL myhash', fixture: smallHash, weight: 15 },
  { name: 'hincrby', command: `HINCRBY myhash ${element} 1`, fixture: integerHash },
  { name: 'zrank', command: `ZRANK myzset ${element}`, fixture: sortedSet, weight: 2 },
  {
    name: 'zrangebyscore',
    command: 'ZRANGEBYSCORE myzset __rand_int__ +inf LIMIT 0 10',
    fixture: sortedSet,
    weight: 4,
  },
  { name: 'xadd', command: `XADD mystream * field ${value}`, fixture: emptyServer, weight: 2 },
]

export const typeLines: readonly Line[] = tests.flatMap(({ name, own, command, fixture, weight = 1 }) =>
  pipelines.map((pipeline) => ({
    name: `${name} P${pipeline}`,
    pipeline,
    workload: own === undefined ? command.split(' ') : ['-t', own, '-d', String(valueBytes)],
    sample: command.replace('__rand_int__', '0'.repeat(12)).split(' '),
    fixture,
    weight,
  })),
)

const metrics = metricsOf(
  'types',
  `redis-benchmark, ${connectionCount} connections; collections of ${elementCount.toLocaleString('en-US')} elements, ` +
    'or growing from nothing where elements are added',
)

export async function measureTypes(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  await measureLines(typeLines, metrics, options.quick ? 0.3 : 0.7, specs, options, report, progress)
}
