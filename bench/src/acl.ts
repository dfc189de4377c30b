// What the checks of a user with many rules cost, beside the default user who may do everything.

import type { Fixture } from './fixtures.ts'
import { load, loadCommands } from './loader.ts'
import { lineMatches, type RespOptions } from './options.ts'
import { calibrate, keyCount, type Line, requireRedisBenchmark, runRedisBenchmark } from './redis-benchmark.ts'
import { type Metric, noSamples, type Report } from './report.ts'
import { type ServerProcess, type ServerSpec, withServers } from './servers.ts'

const ruleCount = 100
const valueBytes = 20
const keysPerMset = 10
/** Shorter runs would tell little: what is looked for is a few percent. */
const pairsMin = 3

const otherCommands = [
  ...['hget', 'hset', 'hdel', 'hgetall', 'hincrby', 'sadd', 'srem', 'smembers', 'sismember', 'zadd', 'zrem', 'zscore'],
  ...['zrange', 'lpush', 'rpush', 'lpop', 'rpop', 'lrange', 'llen', 'expire', 'ttl', 'exists', 'del', 'unlink'],
]

/** As an application of many tenants has it; redis-benchmark's own keys are in the middle. */
const keyRules = Array.from({ length: ruleCount - otherCommands.length - 8 }, (_, index) => {
  if (index === 34) return '~key:*'
  return index % 3 === 0 ? `%R~tenant:${index}:shared:*` : `~tenant:${index}:*`
})

/** `ACL SETUSER tenant ...` with a hundred rules. */
const userCommand: readonly string[] = [
  ...['ACL', 'SETUSER', 'tenant', 'reset', 'on', '>secret', 'resetchannels', '&tenant:*'],
  ...keyRules,
  ...[
    '-@all',
    '+@connection',
    '+config|get',
    '+ping',
    '+get',
    '+set',
    '+mset',
    ...otherCommands.map((name) => `+${name}`),
  ],
]

const strings: Fixture = {
  name: `strings of ${valueBytes} bytes and a user`,
  async load(port) {
    await loadCommands(port, [userCommand])
    await load({ port, keyCount, valueBytes })
  },
}

const asTenant = ['--user', 'tenant', '-a', 'secret']

function line(test: 'set' | 'get' | 'mset', pipeline: number): Line {
  return {
    name: `acl_${test} P${pipeline}`,
    pipeline,
    workload: ['-t', test, '-d', String(valueBytes)],
    sample: ['PING'],
    fixture: strings,
    weight: test === 'mset' ? keysPerMset : 1,
  }
}

const testLines = [1, 16, 100].flatMap((pipeline) => [line('set', pipeline), line('get', pipeline)])
const lines = [...testLines, line('mset', 16)]

/** The lines as the restricted user has them, for the profiler. */
export const aclLines: readonly Line[] = lines.map((each) => restricted(each))

function restricted(each: Line): Line {
  return { ...each, workload: [...asTenant, ...each.workload] }
}

const throughput: Metric = {
  suite: 'acl',
  name: `throughput of a user with ${ruleCount} rules, as a part of the default user's`,
  unit: '',
  precision: 3,
  bar: { on: 'value', atLeast: 0.97 },
  note: `GET, SET and MSET of ${keysPerMset} keys; the runs of both users follow one another`,
}
const cpu: Metric = {
  suite: 'acl',
  name: 'CPU time of the main thread, as a multiple of what it takes for the default user',
  unit: '',
  precision: 3,
  note: 'steadier than the throughput where other programs run beside',
}

/** The time of the thread that runs commands is told in nanoseconds, that of the process in steps of 10 ms. */
async function run(server: ServerProcess, each: Line, commandCount: number) {
  const before = server.mainThreadMs().running
  const { perSecond } = await runRedisBenchmark(server, each, commandCount)
  return { perSecond, runningMs: server.mainThreadMs().running - before }
}

export async function measureAcl(
  specs: readonly ServerSpec[],
  options: RespOptions,
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  await requireRedisBenchmark()
  const wanted = lines.filter(({ name }) => lineMatches(name, options.lineWords))
  if (wanted.length === 0) return
  await withServers(specs, async (servers) => {
    for (const server of servers) await strings.load(server.port)
    for (const each of wanted) {
      let commandCount = Number.POSITIVE_INFINITY
      for (const server of servers) {
        commandCount = Math.min(commandCount, await calibrate(server, each, options.quick ? 0.5 : 1, async () => {}))
      }
      const samples = { throughput: noSamples(), cpu: noSamples() }
      for (let pair = 0; pair < Math.max(pairsMin, options.pairCount); pair++) {
        for (const server of servers) {
          // Each user goes first every other time.
          const order = pair % 2 === 0 ? [each, restricted(each)] : [restricted(each), each]
          const runs = [await run(server, order[0], commandCount), await run(server, order[1], commandCount)]
          const [plain, checked] = pair % 2 === 0 ? runs : runs.toReversed()
          samples.throughput[server.role].push(checked.perSecond / plain.perSecond)
          samples.cpu[server.role].push(checked.runningMs / plain.runningMs)
        }
      }
      report.add(throughput, each.name, samples.throughput)
      report.add(cpu, each.name, samples.cpu)
      progress(`${each.name}: ${report.progress(each.name)}`)
    }
  })
}
