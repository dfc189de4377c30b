import type { LatencyEvent, LatencyMonitor } from './latency-monitor.ts'

const GRAPH_COLUMNS = 80
const GRAPH_ROWS = 4
/** A column's top row, by how much of the row it fills; rows below it are bars. */
const LEVELS = ['_', 'o', '#']
const BAR = '|'

/** LATENCY GRAPH: the samples of an event as columns of text, each with its age below. */
export function latencyGraph(name: string, event: LatencyEvent, nowMs: number): string {
  const latencies = event.samples.map((sample) => sample.latencyMs)
  const high = Math.max(...latencies)
  const low = Math.min(...latencies)
  const header = `${name} - high ${high} ms, low ${low} ms (all time high ${event.maxMs} ms)\n${'-'.repeat(GRAPH_COLUMNS)}\n`
  const columns = event.samples.map(({ atSeconds, latencyMs }) => {
    const stepCount = LEVELS.length * GRAPH_ROWS
    const step = Math.min(Math.floor(((latencyMs - low) * stepCount) / (high - low || 1)), stepCount - 1)
    const cells = Array.from({ length: GRAPH_ROWS }, (_, row) => {
      const level = step - (GRAPH_ROWS - row - 1) * LEVELS.length
      return level < 0 ? ' ' : (LEVELS[level] ?? BAR)
    })
    return [...cells, ' ', ...ageText(Math.floor(nowMs / 1000) - atSeconds)]
  })
  const pages: string[] = []
  for (let first = 0; first < columns.length; first += GRAPH_COLUMNS) {
    const page = columns.slice(first, first + GRAPH_COLUMNS)
    const rowCount = Math.max(...page.map((column) => column.length))
    const rows = Array.from({ length: rowCount }, (_, row) => `${page.map((column) => column[row] ?? ' ').join('')}\n`)
    pages.push(rows.join(''))
  }
  return header + pages.join('\n')
}

function ageText(seconds: number): string {
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

/** LATENCY DOCTOR: what was seen, and what may be done about it. */
export function latencyAdvice(monitor: LatencyMonitor): string {
  if (!monitor.isOn && monitor.events.size === 0) {
    return 'Latency monitoring is off. Turn it on with CONFIG SET latency-monitor-threshold <milliseconds>.\n'
  }
  if (monitor.events.size === 0) return 'No latency spike was seen since monitoring began, or since LATENCY RESET.\n'
  const lines = [...monitor.events].map(([name, event], index) => `${index + 1}. ${name}: ${describe(event)}`)
  const advice = new Set<string>()
  if (monitor.events.has('command')) {
    advice.add('See in the slow log (SLOWLOG GET) which commands took so long, and split large ones.')
    advice.add('Deleting or replacing very large values takes time: prefer UNLINK, or several smaller values.')
  }
  if (monitor.events.has('fast-command')) {
    advice.add(
      'Commands of constant time were slow: the machine is short of processor time or memory, or very large values are sent.',
    )
  }
  if (monitor.events.has('expire-cycle')) {
    advice.add('Very many keys expire at the same moment: spread their times to live, or lower active-expire-effort.')
  }
  return [
    'Latency spikes were seen:',
    '',
    ...lines,
    '',
    'What may help:',
    '',
    ...[...advice].map((line) => `- ${line}`),
    '',
  ].join('\n')
}

function describe({ samples, maxMs }: LatencyEvent): string {
  const average = samples.reduce((sum, sample) => sum + sample.latencyMs, 0) / samples.length
  const deviation = samples.reduce((sum, sample) => sum + Math.abs(sample.latencyMs - average), 0) / samples.length
  const spanSeconds = samples[samples.length - 1].atSeconds - samples[0].atSeconds
  const period = samples.length === 1 ? '' : `, period ${(spanSeconds / (samples.length - 1)).toFixed(2)} sec`
  return (
    `${samples.length} latency spikes (average ${Math.round(average)}ms, ` +
    `mean deviation ${Math.round(deviation)}ms${period}). Worst all time event ${maxMs}ms.`
  )
}
