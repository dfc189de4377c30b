// The log and Kafka's protocol under load, beside what the machine can do at best.

import type { KafkaBenchOptions, KafkaSuite } from '../options.ts'
import { alignedTable, thisMachine } from '../report.ts'
import { apacheKafkaSpec } from './apache-kafka.ts'
import { type BrokerSpec, headpondSpec } from './broker-process.ts'
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

/** What a figure of Headpond's is to be at least or at most. */
const BARS: readonly { suite: KafkaSuite; line?: string; figure: string; atLeast?: number; atMost?: number }[] = [
  { suite: 'produce', figure: 'of baseline', atLeast: 0.5 },
  { suite: 'together', figure: 'p99 of idle', atMost: 3 },
  { suite: 'start', line: '5000 partitions', figure: 'start ms', atMost: 2000 },
  { suite: 'heap', figure: 'bytes/partition', atMost: 4096 },
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
}

export async function measureKafka(
  options: KafkaBenchOptions,
  progress: (text: string) => void,
): Promise<{ text: string; lines: readonly Line[] }> {
  const lines: Line[] = []
  const specs: BrokerSpec[] = [headpondSpec(options.node)]
  if (options.apacheKafka !== undefined) {
    try {
      specs.push(await apacheKafkaSpec(options.apacheKafka))
    } catch (error) {
      progress(`Headpond is measured alone: ${(error as Error).message}`)
    }
  }
  const bench: Bench = {
    options,
    specs,
    add(line) {
      lines.push(line)
      const figures = Object.entries(line.figures).map(([name, value]) => `${name} ${show(name, value)}`)
      progress(`${line.broker}  ${line.line}: ${figures.join(', ')}`)
    },
  }
  for (const suite of options.suites) {
    progress(`== ${suite}`)
    await runners[suite](bench)
  }
  const { cpu, coreCount, kernel, commit } = thisMachine()
  const head = `${cpu}, ${coreCount} cores, Linux ${kernel}, commit ${commit}`
  const tables = options.suites.map((suite) =>
    tableOf(
      suite,
      lines.filter((line) => line.suite === suite),
    ),
  )
  const verdicts = BARS.flatMap(({ suite, line, figure, atLeast, atMost }) => {
    const judged = lines.filter(
      (each) => each.suite === suite && each.broker === 'Headpond' && (line === undefined || each.line === line),
    )
    return judged.flatMap((each) => {
      const value = Number(each.figures[figure])
      if (value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity)) return []
      const bar = atLeast === undefined ? `<= ${atMost}` : `>= ${atLeast}`
      return [`not met: ${suite} ${each.line}, ${figure} ${bar}: ${show(figure, value)}`]
    })
  })
  const conclusion = verdicts.length === 0 ? 'All bars met.' : verdicts.join('\n')
  return { text: `${[head, ...tables, conclusion].join('\n\n')}\n`, lines }
}

function tableOf(suite: KafkaSuite, lines: readonly Line[]): string {
  if (lines.length === 0) return `${suite}: nothing measured`
  const names = [...new Set(lines.flatMap(({ figures }) => Object.keys(figures)))]
  const bars = BARS.filter((bar) => bar.suite === suite)
  const described = bars.map(({ line, figure, atLeast, atMost }) =>
    [line, figure, atLeast === undefined ? `<= ${atMost}` : `>= ${atLeast}`].filter(Boolean).join(' '),
  )
  const title = described.length === 0 ? suite : `${suite} (bar: ${described.join(', ')})`
  const rows = lines.flatMap(({ line, broker, figures }) => {
    const row = [line, broker, ...names.map((name) => (figures[name] === undefined ? '' : show(name, figures[name])))]
    const own = lines.find((each) => each.line === line && each.broker === 'Headpond')
    return broker === 'Headpond' || own === undefined ? [row] : [row, ratiosOf(own, figures, names)]
  })
  return `${title}\n${alignedTable([['line', 'broker', ...names], ...rows], [0, 1])}`
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
  const digits = name === 'of baseline' || name.startsWith('CPU') || name.startsWith('p') ? 2 : 0
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
