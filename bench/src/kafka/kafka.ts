// The log and Kafka's protocol under load, beside what the machine can do at best.

import type { KafkaBenchOptions, KafkaSuite } from '../options.ts'
import { ReadyMemory } from '../ready-memory.ts'
import { alignedTable, thisMachine } from '../report.ts'
import { apacheKafka } from './apache-kafka.ts'
import { type BrokerSpec, headpondSpec, NODE_ALONE } from './broker-process.ts'
import { measureGroups, measureLargeLog, measureProducers } from './scale-suites.ts'
import {
  type Bench,
  type Line,
  measureConsume,
  measureHeap,
  measureLatency,
  measureLibraries,
  measurePartitions,
  measureProduce,
  measureStart,
} from './suites.ts'
import { measureTogether } from './together.ts'
import { measureConsumerPerf, measureProducerPerf } from './tool-suites.ts'

const GB = 1e9
/** No bar is on a ratio between these. */
const OURS: readonly string[] = ['Headpond', NODE_ALONE]

/** What a figure of Headpond's is to be at least or at most: by itself, or by Apache Kafka's. */
interface Bar {
  readonly suites: readonly KafkaSuite[]
  readonly line?: string
  readonly figure: string
  readonly isRatio?: true
  readonly atLeast?: number
  readonly atMost?: number
}

const BARS: readonly Bar[] = [
  { suites: ['produce'], figure: 'of baseline', atLeast: 0.5 },
  { suites: ['together'], figure: 'p99 of idle', atMost: 3 },
  { suites: ['start'], line: '5000 partitions', figure: 'start ms', atMost: 2000 },
  { suites: ['heap'], figure: 'bytes/partition', atMost: 4096 },
  { suites: ['large-log'], figure: 'of the first rate', atLeast: 0.9 },
  {
    suites: ['produce', 'consume', 'producers', 'producer-perf', 'consumer-perf'],
    figure: 'MB/s',
    isRatio: true,
    atLeast: 1,
  },
  { suites: ['produce', 'producers', 'producer-perf', 'latency'], figure: 'p99 ms', isRatio: true, atMost: 1 },
  { suites: ['start'], line: '0 partitions', figure: 'first produce ms', isRatio: true, atMost: 0.1 },
  {
    suites: ['produce', 'consume', 'producers', 'partitions', 'groups', 'start', 'producer-perf', 'consumer-perf'],
    figure: 'RSS MB',
    isRatio: true,
    atMost: 0.5,
  },
]

const runners: Readonly<Record<KafkaSuite, (bench: Bench) => Promise<void>>> = {
  produce: measureProduce,
  consume: measureConsume,
  latency: measureLatency,
  together: measureTogether,
  partitions: measurePartitions,
  start: measureStart,
  heap: measureHeap,
  clients: measureLibraries,
  producers: measureProducers,
  groups: measureGroups,
  'large-log': measureLargeLog,
  'producer-perf': measureProducerPerf,
  'consumer-perf': measureConsumerPerf,
}

export async function measureKafka(
  options: KafkaBenchOptions,
  progress: (text: string) => void,
): Promise<{ text: string; lines: readonly Line[] }> {
  const lines: Line[] = []
  const specs: BrokerSpec[] = [headpondSpec(options.node)]
  let classPath: string | null = null
  if (options.apacheKafka !== 'none') {
    try {
      const kafka = apacheKafka(options.apacheKafka)
      specs.push(kafka.spec)
      classPath = kafka.classPath
    } catch (error) {
      progress(`Headpond is measured alone: ${(error as Error).message}`)
    }
  }
  const memory = new ReadyMemory(options.quick ? 2 * GB : 4 * GB)
  const bench: Bench = {
    options,
    memory,
    specs,
    classPath,
    add(line) {
      lines.push(line)
      const figures = Object.entries(line.figures).map(([name, value]) => `${name} ${show(name, value)}`)
      progress(`${line.broker}  ${line.line}: ${figures.join(', ')}`)
    },
  }
  try {
    for (const suite of options.suites) {
      progress(`== ${suite}`)
      await runners[suite](bench)
    }
  } finally {
    memory.close()
  }
  const { cpu, coreCount, kernel, commit } = thisMachine()
  const head = `${cpu}, ${coreCount} cores, Linux ${kernel}, commit ${commit}`
  const tables = options.suites.map((suite) =>
    tableOf(
      suite,
      lines.filter((line) => line.suite === suite),
    ),
  )
  const verdicts = BARS.flatMap((bar) => lines.flatMap((line) => verdictOf(bar, line, lines)))
  const conclusion = verdicts.length === 0 ? 'All bars met.' : verdicts.join('\n')
  return { text: `${[head, ...tables, conclusion].join('\n\n')}\n`, lines }
}

function tableOf(suite: KafkaSuite, lines: readonly Line[]): string {
  if (lines.length === 0) return `${suite}: nothing measured`
  const names = [...new Set(lines.flatMap(({ figures }) => Object.keys(figures)))]
  const described = BARS.filter(({ suites }) => suites.includes(suite)).map((bar) =>
    [bar.line, bar.figure, describe(bar)].filter(Boolean).join(' '),
  )
  const title = described.length === 0 ? suite : `${suite} (bar: ${described.join(', ')})`
  const rows = lines.flatMap(({ line, broker, figures }) => {
    const row = [line, broker, ...names.map((name) => (figures[name] === undefined ? '' : show(name, figures[name])))]
    const own = lines.find((each) => each.line === line && each.broker === 'Headpond')
    return broker === 'Headpond' || own === undefined ? [row] : [row, ratiosOf(own, figures, names)]
  })
  return `${title}\n${alignedTable([['line', 'broker', ...names], ...rows], [0, 1])}`
}

/** What a bar says of a line: nothing, or that it is not met. */
function verdictOf(bar: Bar, { suite, line, broker, figures }: Line, lines: readonly Line[]): string[] {
  const { figure, atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = bar
  if (broker !== 'Headpond' || !bar.suites.some((each) => each === suite)) return []
  if (figures[figure] === undefined || (bar.line !== undefined && bar.line !== line)) return []
  const other = lines.find((each) => each.suite === suite && each.line === line && !OURS.includes(each.broker))
  if (bar.isRatio && other === undefined) return []
  const value = Number(figures[figure]) / (bar.isRatio ? Number(other?.figures[figure]) : 1)
  if (Number.isNaN(value) || (value >= atLeast && value <= atMost)) return []
  return [
    `not met: ${suite} ${line}, ${figure} ${describe(bar)}: ${bar.isRatio ? value.toFixed(2) : show(figure, value)}`,
  ]
}

function describe({ atLeast, atMost, isRatio }: Bar): string {
  const unit = isRatio ? "x of Apache Kafka's" : ''
  return atLeast === undefined ? `<= ${atMost}${unit}` : `>= ${atLeast}${unit}`
}

/** Headpond's figures by those of the other broker. */
function ratiosOf(own: Line, others: Line['figures'], names: readonly string[]): string[] {
  const ratios = names.map((name) => {
    const ratio = Number(own.figures[name]) / Number(others[name])
    return Number.isFinite(ratio) ? `${ratio.toFixed(2)}x` : ''
  })
  return [own.line, 'ratio', ...ratios]
}

function show(name: string, value: number | string): string {
  if (typeof value === 'string') return value
  const digits = name.startsWith('of ') || name.startsWith('CPU') || name.startsWith('p') ? 2 : 0
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
