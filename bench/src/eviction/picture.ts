// Hit ratio by cache size, drawn: lines in an SVG file, bars in a terminal.

export interface Curve {
  readonly name: string
  readonly colour: string
  /** Hit ratios in percent, by the sizes of the panel. */
  readonly ratios: readonly number[]
}

export interface Panel {
  readonly title: string
  readonly sizes: readonly number[]
  readonly curves: readonly Curve[]
}

const PANEL_WIDTH = 400
const PANEL_HEIGHT = 260
const MARGIN = { left: 44, right: 16, top: 34, bottom: 40 }
const PANELS_IN_ROW = 2
const LEGEND_HEIGHT = 32
const BAR_WIDTH = 50

/** A file that any browser shows: a panel for each trace, sizes on a logarithmic scale. */
export function toSvg(panels: readonly Panel[]): string {
  const width = PANEL_WIDTH * Math.min(PANELS_IN_ROW, panels.length)
  const height = PANEL_HEIGHT * Math.ceil(panels.length / PANELS_IN_ROW) + LEGEND_HEIGHT
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11" fill="#333">`,
    '<title>Hit ratio by cache size</title>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
  ]
  panels.forEach((panel, index) => {
    const x = (index % PANELS_IN_ROW) * PANEL_WIDTH
    const y = Math.floor(index / PANELS_IN_ROW) * PANEL_HEIGHT
    parts.push(`<g transform="translate(${x} ${y})">`, ...panelParts(panel), '</g>')
  })
  const legend = panels[0]?.curves ?? []
  legend.forEach((curve, index) => {
    const x = MARGIN.left + index * ((width - MARGIN.left) / legend.length)
    const y = height - LEGEND_HEIGHT / 2
    parts.push(
      `<path d="M${x} ${y - 4}h20" stroke="${curve.colour}" stroke-width="2.5"/>`,
      `<text x="${x + 26}" y="${y}">${escapeText(curve.name)}</text>`,
    )
  })
  return `${[...parts, '</svg>'].join('\n')}\n`
}

function panelParts({ title, sizes, curves }: Panel): string[] {
  const ratios = curves.flatMap((curve) => curve.ratios)
  const step = stepFor(Math.max(...ratios) - Math.min(...ratios))
  const low = Math.max(0, Math.floor(Math.min(...ratios) / step) * step)
  const high = Math.max(low + step, Math.ceil(Math.max(...ratios) / step) * step)
  const logs = sizes.map(Math.log)
  const innerWidth = PANEL_WIDTH - MARGIN.left - MARGIN.right
  const innerHeight = PANEL_HEIGHT - MARGIN.top - MARGIN.bottom
  const span = logs[logs.length - 1] - logs[0]
  const xOf = (index: number) => MARGIN.left + (span === 0 ? 0.5 : (logs[index] - logs[0]) / span) * innerWidth
  const yOf = (ratio: number) => MARGIN.top + (1 - (ratio - low) / (high - low)) * innerHeight
  const parts = [`<text x="${MARGIN.left}" y="18" font-size="13" font-weight="bold">${escapeText(title)}</text>`]
  for (let ratio = low; ratio <= high + 1e-9; ratio += step) {
    parts.push(
      `<path d="M${MARGIN.left} ${round(yOf(ratio))}h${innerWidth}" stroke="#ddd"/>`,
      `<text x="${MARGIN.left - 6}" y="${round(yOf(ratio) + 4)}" text-anchor="end">${ratio} %</text>`,
    )
  }
  sizes.forEach((size, index) => {
    parts.push(
      `<text x="${round(xOf(index))}" y="${PANEL_HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${size.toLocaleString('en-US')}</text>`,
    )
  })
  parts.push(
    `<text x="${MARGIN.left + innerWidth / 2}" y="${PANEL_HEIGHT - 8}" text-anchor="middle">keys that Redis holds in the same memory</text>`,
  )
  for (const { colour, ratios: own } of curves) {
    const points = own.map((ratio, index) => `${round(xOf(index))},${round(yOf(ratio))}`)
    parts.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2.5"/>`)
    for (const point of points) {
      const [x, y] = point.split(',')
      parts.push(`<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`)
    }
  }
  return parts
}

/** For a terminal: a bar for each curve and size. */
export function toText(panels: readonly Panel[]): string {
  const nameWidth = Math.max(...panels.flatMap(({ curves }) => curves.map(({ name }) => name.length)))
  const blocks = panels.map(({ title, sizes, curves }) => {
    const highest = Math.max(1, ...curves.flatMap(({ ratios }) => ratios))
    const lines = sizes.flatMap((size, index) =>
      curves.map(({ name, ratios }, place) => {
        const label = place === 0 ? size.toLocaleString('en-US') : ''
        const bar = '█'.repeat(Math.round((ratios[index] / highest) * BAR_WIDTH))
        return `${label.padStart(9)}  ${name.padEnd(nameWidth)}  ${bar.padEnd(BAR_WIDTH)} ${ratios[index].toFixed(2)}`
      }),
    )
    return [`${title}: hit ratio in percent by cache size in keys`, ...lines].join('\n')
  })
  return blocks.join('\n\n')
}

/** Lines at 1, 2, 5, 10 or 20 percent: some five of them. */
function stepFor(range: number): number {
  return [1, 2, 5, 10, 20].find((step) => range / step <= 6) ?? 20
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
