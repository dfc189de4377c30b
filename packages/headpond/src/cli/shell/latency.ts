import type { Console } from './console.ts'
import type { Session } from './session.ts'

const SAMPLE_PAUSE_SECONDS = 0.01
const SINGLE_RESULT_SECONDS = 1
const HISTORY_SECONDS = 15
const SPECTRUM_SECONDS = 1
const CLEAR_LINE = '\x1b[0G\x1b[2K'

/** How long PINGs took, in milliseconds. */
class Samples {
  count = 0
  minMs = Number.POSITIVE_INFINITY
  maxMs = 0
  #sumMs = 0

  add(ms: number): void {
    this.count++
    this.#sumMs += ms
    this.minMs = Math.min(this.minMs, Math.floor(ms))
    this.maxMs = Math.max(this.maxMs, Math.floor(ms))
  }

  get averageMs(): string {
    return (this.#sumMs / this.count).toFixed(2)
  }
}

async function pingMs(session: Session): Promise<number> {
  const startMs = performance.now()
  await session.callAgain('PING')
  return performance.now() - startMs
}

/**
 * `--latency` on a terminal goes on for ever, `--latency-history` begins a new line every 15 seconds (-i); for programs
 * there is one result, after a second (-i).
 */
export async function measureLatency(session: Session): Promise<number> {
  const { console, form, options } = session
  const isHistory = options.mode === 'latency-history'
  const isSingle = form !== 'terminal'
  const rangeSeconds = options.intervalSeconds || (isHistory && !isSingle ? HISTORY_SECONDS : SINGLE_RESULT_SECONDS)
  for (;;) {
    const samples = new Samples()
    const startMs = performance.now()
    for (;;) {
      samples.add(await pingMs(session))
      if (!isSingle) console.print(CLEAR_LINE + lineOf(samples))
      const elapsedSeconds = (performance.now() - startMs) / 1000
      if ((isHistory || isSingle) && elapsedSeconds > rangeSeconds) {
        if (isSingle) {
          console.print(resultOf(samples, session))
          return 0
        }
        console.print(` -- ${elapsedSeconds.toFixed(2)} seconds range\n`)
        break
      }
      await session.pause(SAMPLE_PAUSE_SECONDS)
    }
  }
}

function lineOf({ minMs, maxMs, averageMs, count }: Samples): string {
  return `min: ${minMs}, max: ${maxMs}, avg: ${averageMs} (${count} samples)`
}

function resultOf({ minMs, maxMs, averageMs, count }: Samples, { form }: Session): string {
  switch (form) {
    case 'csv':
      return `${minMs},${maxMs},${averageMs},${count}\n`
    case 'json':
    case 'quoted-json':
      return `{"min": ${minMs}, "max": ${maxMs}, "avg": ${averageMs}, "count": ${count}}\n`
    default:
      return `${minMs} ${maxMs} ${averageMs} ${count}\n`
  }
}

/** Columns of the spectrum: PINGs of up to so many milliseconds, shown by that sign. */
const COLUMNS: readonly (readonly [ms: number, sign: string])[] = [
  [0.01, '.'],
  [0.125, '-'],
  [0.25, '*'],
  [0.5, '#'],
  ...Array.from('123456789', (sign) => [Number(sign), sign] as const),
  ...Array.from('ABCDE', (sign, index) => [(index + 1) * 10, sign] as const),
  ...Array.from('FGHIJ', (sign, index) => [(index + 1) * 100, sign] as const),
  ...Array.from('KLMNO', (sign, index) => [2 ** index * 1000, sign] as const),
  [30_000, 'P'],
  [60_000, 'Q'],
  [Number.POSITIVE_INFINITY, '?'],
]

/** Colours of a terminal with 256, from none to all of the samples. */
const PALETTE = [0, 233, 234, 235, 237, 239, 241, 243, 245, 247, 144, 143, 142, 184, 226, 214, 208, 202, 196]
const LEGEND_EVERY_ROWS = 20

/** `--latency-dist`: a row for each second (-i), the columns' colours tell which share of the PINGs took so long. */
export async function showLatencySpectrum(session: Session): Promise<number> {
  const { console, options } = session
  const rowSeconds = options.intervalSeconds || SPECTRUM_SECONDS
  for (let row = 0; ; row++) {
    const counts = COLUMNS.map(() => 0)
    const startMs = performance.now()
    while (performance.now() - startMs < rowSeconds * 1000) {
      const ms = await pingMs(session)
      counts[COLUMNS.findIndex(([limitMs]) => ms <= limitMs)]++
      await session.pause(SAMPLE_PAUSE_SECONDS)
    }
    if (row % LEGEND_EVERY_ROWS === 0) printLegend(console)
    const sampleCount = counts.reduce((sum, count) => sum + count, 0)
    const cells = COLUMNS.map(([, sign], column) => {
      const shade = Math.ceil((counts[column] / sampleCount) * (PALETTE.length - 1))
      return `\x1b[48;5;${PALETTE[shade]}m${sign}`
    })
    console.print(`\x1b[38;5;0m${cells.join('')}\x1b[0m\n`)
  }
}

function printLegend(console: Console): void {
  const rule = '---------------------------------------------'
  console.print(`${rule}
. - * #          .01 .125 .25 .5 milliseconds
1,2,3,...,9      from 1 to 9     milliseconds
A,B,C,D,E        10,20,30,40,50  milliseconds
F,G,H,I,J        .1,.2,.3,.4,.5       seconds
K,L,M,N,O,P,Q,?  1,2,4,8,16,30,60,>60 seconds
From 0 to 100%: ${PALETTE.map((color) => `\x1b[48;5;${color}m `).join('')}\x1b[0m
${rule}
`)
}
