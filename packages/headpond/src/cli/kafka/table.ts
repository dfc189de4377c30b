/** One cell: numbers stand to the right, text to the left, null is a dash. */
export type Cell = string | number | null

export interface Column {
  readonly title: string
  /** Numbers are grouped (1,234,567) unless they are names, such as a partition's. */
  readonly isName?: boolean
}

const GAP = '  '

/** Rows below their titles, each column as wide as its widest cell. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string {
  const shown = rows.map((row) => row.map((cell, index) => formatCell(cell, columns[index])))
  const isRight = columns.map((_column, index) => rows.some((row) => typeof row[index] === 'number'))
  const widths = columns.map(({ title }, index) => Math.max(width(title), ...shown.map((row) => width(row[index]))))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => {
        const space = ' '.repeat(widths[index] - width(cell))
        return isRight[index] ? space + cell : cell + space
      })
      .join(GAP)
      .trimEnd()
  return [line(columns.map(({ title }) => title)), ...shown.map(line)].map((text) => `${text}\n`).join('')
}

function formatCell(cell: Cell, { isName = false }: Column): string {
  if (cell === null) return '-'
  if (typeof cell === 'string') return cell
  return isName ? String(cell) : cell.toLocaleString('en')
}

/** Columns of a terminal; close enough without a table of wide characters. */
function width(text: string): number {
  return [...text].length
}

/** `1.5 GB`, as a person says it. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  let amount = bytes
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1000
    unit++
  }
  return `${unit === 0 || amount >= 99.5 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`
}
