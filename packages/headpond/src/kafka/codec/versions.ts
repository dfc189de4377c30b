/** A range of versions as Kafka's message definitions write it: '0+', '3-7', '4', 'none'. */
export interface VersionRange {
  readonly min: number
  /** Infinity for '0+'; below `min` for 'none'. */
  readonly max: number
}

export const NO_VERSIONS: VersionRange = { min: 0, max: -1 }

export function parseVersions(text: string): VersionRange {
  if (text === 'none') return NO_VERSIONS
  const match = /^(\d+)(\+|-(\d+))?$/.exec(text)
  if (match === null) throw new Error(`'${text}' is no range of versions`)
  const min = Number(match[1])
  if (match[2] === undefined) return { min, max: min }
  return { min, max: match[2] === '+' ? Number.POSITIVE_INFINITY : Number(match[3]) }
}

export function includesVersion({ min, max }: VersionRange, version: number): boolean {
  return version >= min && version <= max
}
