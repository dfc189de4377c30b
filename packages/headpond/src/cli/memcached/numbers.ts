/** Numbers of the command line as C's `atoi`, `strtol` and `atof` read them: as far as they go, 0 for what is none. */

export function leadingInteger(text: string): number {
  const match = /^\s*([+-]?\d+)/.exec(text)
  return match === null ? 0 : Number(match[1])
}

export function leadingOctal(text: string): number {
  const match = /^\s*([0-7]+)/.exec(text)
  return match === null ? 0 : Number.parseInt(match[1], 8)
}

export function fraction(text: string): number {
  const match = /^\s*([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)/i.exec(text)
  return match === null ? 0 : Number(match[1])
}

/** A number that is nothing else, or NaN. */
export function wholeUint32(text: string): number {
  return /^\s*\+?\d+\s*$/.test(text) && Number(text) < 2 ** 32 ? Number(text) : Number.NaN
}
