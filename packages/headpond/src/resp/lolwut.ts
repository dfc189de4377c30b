import { REDIS_VERSION } from './version.ts'

const COLUMNS_DEFAULT = 56
const ROWS_DEFAULT = 7
const COLUMNS_MAX = 1000
const ROWS_MAX = 100

/** A pond with rings where drops have fallen, another one each time, and the version. */
export function lolwutText(
  size: { columns: number | undefined; rows: number | undefined },
  random: () => number,
  version: string,
): string {
  const columns = clamp(size.columns ?? COLUMNS_DEFAULT, COLUMNS_MAX)
  const rows = clamp(size.rows ?? ROWS_DEFAULT, ROWS_MAX)
  const dropCount = 1 + Math.ceil((columns * rows) / 200)
  const drops = Array.from({ length: dropCount }, () => ({ x: random() * columns, y: random() * rows }))
  const lines = Array.from({ length: rows }, (_, y) =>
    Array.from({ length: columns }, (_, x) => {
      // Characters are about twice as high as wide. Rings grow weaker on their way.
      const wave = drops.reduce((sum, drop) => {
        const distance = Math.hypot(x - drop.x, 2 * (y - drop.y))
        return sum + Math.cos(distance) / (1 + distance / 4)
      }, 0)
      return wave > 0.6 ? 'O' : wave > 0.3 ? 'o' : wave > 0.05 ? '~' : wave > -0.25 ? '-' : ' '
    }).join(''),
  )
  return `${lines.join('\n')}\n\nHeadpond ver. ${version}, Redis ver. ${REDIS_VERSION}\n`
}

function clamp(value: number, max: number): number {
  return Math.min(Math.max(value, 1), max)
}
