import { directiveNames } from './directives.ts'

/** A configuration that cannot be used. The message is one line: the place, what is wrong, what to do about it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** `headpond.conf:12`, `--maxmemory abc`, `HEADPOND_MAXMEMORY=abc`. */
  readonly place: string
  readonly problem: string
  /** Empty where the problem says it already. */
  readonly remedy: string

  constructor(place: string, problem: string, remedy = '') {
    super(`${place}: ${problem}${/[.!?]$/.test(problem) ? '' : '.'} ${remedy}`.trimEnd())
    this.place = place
    this.problem = problem
    this.remedy = remedy
  }
}

/** What to do about a name that is no directive. `asWritten` turns a name into how this place spells it. */
export function remedyForUnknown(name: string, asWritten: (name: string) => string): string {
  const nearest = nearestName(name)
  return nearest === undefined ? 'All directives are listed by: headpond --help' : `Did you mean ${asWritten(nearest)}?`
}

/** Refuses what is no object of names and values, for programs whose types are not checked. Throws ConfigError. */
export function refuseUnlessObject(place: string, value: unknown, example: string): void {
  if (Object.prototype.toString.call(value) === '[object Object]') return
  throw new ConfigError(place, 'must be an object', `Write ${example}.`)
}

/** Refuses an object with a property that is none of these, for programs whose types are not checked. Throws ConfigError. */
export function refuseUnknownNames(place: string, object: object, names: readonly string[]): void {
  for (const name of Object.keys(object)) {
    if (names.includes(name)) continue
    const nearest = nearestName(name, names)
    const remedy =
      nearest !== undefined ? `Did you mean ${nearest}?` : names.length < 10 ? `Known are: ${names.join(', ')}.` : ''
    throw new ConfigError(`${place} ${name}`, 'there is no such option', remedy)
  }
}

/** The directive's name that takes the fewest changed letters, when a third of the letters is enough; else a longer one. */
export function nearestName(name: string, names: readonly string[] = directiveNames): string | undefined {
  const wanted = normalized(name)
  let nearest: string | undefined
  let nearestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1
  for (const known of names) {
    const distance = editDistance(wanted, normalized(known), nearestDistance)
    if (distance < nearestDistance) {
      nearest = known
      nearestDistance = distance
    }
  }
  if (nearest !== undefined || wanted.length < 3) return nearest
  const longer = names.filter((known) => normalized(known).startsWith(wanted))
  return longer.sort((a, b) => a.length - b.length)[0]
}

function normalized(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

/**
 * How many letters to insert, delete, replace or swap with their neighbour to turn `a` into `b`; `limit` or more means: at least
 * so many.
 */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwapped ? beforePrevious[j - 2] + 1 : replaced
      row.push(Math.min(replaced, swapped, previous[j] + 1, row[j - 1] + 1))
    }
    beforePrevious = previous
    previous = row
  }
  return previous[b.length]
}
