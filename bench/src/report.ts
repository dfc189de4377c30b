// What was measured, judged against its bar, as aligned tables and as JSON. A line below its bar is printed as such.

import { execFileSync } from 'node:child_process'
import { cpus, loadavg, release, totalmem } from 'node:os'
import type { Suite } from './options.ts'
import type { Role, ServerSpec } from './servers.ts'

/** A bar on Headpond's value against the other server's, or on Headpond's value alone. */
export type Bar = { on: 'ratio' | 'value'; atLeast: number } | { on: 'ratio' | 'value'; atMost: number }

/** One quantity that a suite measures for many lines: one table. */
export interface Metric {
  readonly suite: Suite
  readonly name: string
  readonly unit: string
  /** Digits after the point. */
  readonly precision: number
  /** Absent: shown for what it tells, without a verdict. */
  readonly bar?: Bar
  /** What a reader must know to read the figures right. */
  readonly note?: string
}

export interface Samples {
  headpond: number[]
  redis: number[]
}

export function noSamples(): Samples {
  return { headpond: [], redis: [] }
}

interface Summary {
  median: number
  min: number
  max: number
  samples: number[]
}

interface Row {
  metric: Metric
  line: string
  /** Absent when the line could not be measured; the note tells why. */
  headpond?: Summary
  redis?: Summary
  /** Of the pairs: runs next to each other share the machine's mood, so their ratios are steadier than the values. */
  ratio?: Summary
  /** Absent when there is no bar, or nothing to compare with. */
  met?: boolean
  note?: string
}

export interface Machine {
  cpu: string
  coreCount: number
  memoryGiB: number
  kernel: string
  headpondNode: string
  headpond: string
  redis: string
  commit: string
  loadAverage: number
  command: string
  startedAt: string
}

export class Report {
  readonly rows: Row[] = []

  add(metric: Metric, line: string, samples: Samples): void {
    const row: Row = { metric, line, headpond: summarize(samples.headpond) }
    if (samples.redis.length > 0) {
      row.redis = summarize(samples.redis)
      row.ratio = summarize(samples.headpond.map((value, i) => value / samples.redis[i]))
    }
    const judged = judgedBy(row)
    if (metric.bar && judged) row.met = isMet(metric.bar, judged.median)
    this.rows.push(row)
  }

  /** A line that cannot be measured yet is shown, and its bar is not met. */
  missing(metric: Metric, line: string, note: string): void {
    const row: Row = { metric, line, note }
    if (metric.bar) row.met = false
    this.rows.push(row)
  }

  /** One line for each row of the last added line: what a waiting person wants to see. */
  progress(line: string): string {
    const rows = this.rows.filter((row) => row.line === line && row.metric.bar)
    return rows.map((row) => `${row.metric.name} ${verdict(row)}`).join(', ')
  }

  toText(machine: Machine): string {
    const parts = [describeMachine(machine)]
    const metrics = [...new Set(this.rows.map((row) => row.metric))]
    for (const metric of metrics) {
      const rows = this.rows.filter((row) => row.metric === metric)
      parts.push(tableOf(metric, rows))
    }
    parts.push(this.#conclusion())
    return `${parts.join('\n\n')}\n`
  }

  toJson(machine: Machine): string {
    const rows = this.rows.map(({ metric, met, ...row }) => ({
      suite: metric.suite,
      metric: metric.name,
      unit: metric.unit,
      bar: metric.bar ?? null,
      met: met ?? null,
      ...row,
    }))
    return `${JSON.stringify({ machine, rows }, null, 2)}\n`
  }

  #conclusion(): string {
    const judged = this.rows.filter((row) => row.met !== undefined)
    const missed = judged.filter((row) => !row.met)
    const lines = [`${judged.length - missed.length} of ${judged.length} bars met.`]
    for (const row of missed) {
      lines.push(`  not met: ${row.metric.suite} ${row.line}, ${row.metric.name}: ${verdict(row)}`)
    }
    if (this.rows.some((row) => row.met === undefined && row.metric.bar)) {
      lines.push('Where redis-server was not measured, there is no ratio and no verdict.')
    }
    return lines.join('\n')
  }
}

export function describeServers(
  specs: readonly ServerSpec[],
  headpondNode: string,
): Pick<Machine, 'headpond' | 'redis' | 'headpondNode'> {
  const version = (role: Role) => specs.find((spec) => spec.role === role)?.version
  return {
    headpondNode,
    headpond: version('headpond') ?? 'unknown',
    redis: version('redis') ?? 'not installed: Headpond measured alone',
  }
}

export function thisMachine(): Omit<Machine, 'headpond' | 'redis' | 'headpondNode'> {
  const processors = cpus()
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    coreCount: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    commit: commit(),
    loadAverage: loadavg()[0],
    command: `npm run bench -- ${process.argv.slice(2).map(quote).join(' ')}`,
    startedAt: new Date().toISOString(),
  }
}

/** Cells in columns: the first to the left, the rest to the right unless told otherwise. */
export function alignedTable(rows: readonly (readonly string[])[], leftColumns: readonly number[] = [0]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        leftColumns.includes(column) ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
      )
      .join('  ')
      .trimEnd(),
  )
  const rule = widths
    .map((width) => '-'.repeat(width))
    .join('  ')
    .trimEnd()
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}

function describeMachine(machine: Machine): string {
  return [
    `${machine.cpu}, ${machine.coreCount} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}`,
    `headpond: ${machine.headpond} on Node ${machine.headpondNode}, commit ${machine.commit}`,
    `redis:    ${machine.redis}`,
    `command:  ${machine.command}`,
    `started:  ${machine.startedAt}, load average ${machine.loadAverage.toFixed(2)}`,
    'ratio: headpond / redis, the median of the ratios of the pairs',
  ].join('\n')
}

function tableOf(metric: Metric, rows: readonly Row[]): string {
  const unit = metric.unit === '' ? '' : `, ${metric.unit}`
  const title = `${metric.suite}: ${metric.name}${unit}${metric.bar ? ` (bar: ${describeBar(metric.bar)})` : ''}`
  const cells = (summary: Summary | undefined, precision = metric.precision) => {
    const show = (value: number) => format(value, precision)
    return summary ? [show(summary.median), `${show(summary.min)}..${show(summary.max)}`] : ['-', '-']
  }
  const table = [
    ['line', 'headpond', 'min..max', 'redis', 'min..max', 'ratio', 'min..max', metric.bar ? 'bar' : ''],
    ...rows.map((row) => [
      row.line,
      ...cells(row.headpond),
      ...cells(row.redis),
      ...cells(row.ratio, 3),
      row.headpond === undefined ? verdict(row) : metOrNot(row),
    ]),
  ]
  return [title, ...(metric.note ? [metric.note] : []), alignedTable(table, [0, 7])].join('\n')
}

function verdict(row: Row): string {
  if (row.headpond === undefined) return row.note ?? ''
  const value = `${format(row.headpond.median, row.metric.precision)} ${row.metric.unit}`.trim()
  const ratio = row.ratio === undefined ? '' : ` (${format(row.ratio.median, 3)}x)`
  return `${value}${ratio} ${metOrNot(row)}`.trimEnd()
}

function metOrNot(row: Row): string {
  const { bar } = row.metric
  const judged = judgedBy(row)
  if (row.met === undefined || !bar || !judged) return ''
  if (row.met) return 'met'
  // Two runs of one and the same server differ too: say when the miss is no larger than that.
  return isMet(bar, judged.min) || isMet(bar, judged.max) ? 'NOT MET, the spread reaches it' : 'NOT MET'
}

function judgedBy(row: Row): Summary | undefined {
  return row.metric.bar?.on === 'value' ? row.headpond : row.ratio
}

function describeBar(bar: Bar): string {
  const subject = bar.on === 'ratio' ? 'ratio ' : ''
  return 'atLeast' in bar ? `${subject}>= ${bar.atLeast}` : `${subject}<= ${bar.atMost}`
}

function isMet(bar: Bar, value: number): boolean {
  return 'atLeast' in bar ? value >= bar.atLeast : value <= bar.atMost
}

function summarize(samples: number[]): Summary {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), samples }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function format(value: number, precision: number): string {
  if (!Number.isFinite(value)) return '-'
  return value.toLocaleString('en-US', { minimumFractionDigits: precision, maximumFractionDigits: precision })
}

function quote(word: string): string {
  return /\s/.test(word) ? `'${word}'` : word
}

function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const changed = git('status', '--porcelain', '--untracked-files=no').trim() !== ''
    return git('rev-parse', '--short', 'HEAD').trim() + (changed ? ' with changes' : '')
  } catch {
    return 'unknown'
  }
}
