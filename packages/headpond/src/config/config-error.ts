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

/** The directive's name that takes the fewest changed letters, when a third of the letters is enough; else a longer one. */
export function nearestName(name: string, names: readonly string[] = directiveNames): string | undefined {
  const wanted = name.toLowerCase().replaceAll('_', '-')
  let nearest: string | undefined
  let nearestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1
  for (const known of names) {
    const distance = editDistance(wanted, known, nearestDistance)
    if (distance < nearestDistance) {
      nearest = known
      nearestDistance = distance
    }
  }
  if (nearest !== undefined || wanted.length < 3) return nearest
  const longer = names.filter((known) => known.startsWith(wanted))
  return longer.sort((a, b) => a.length - b.length)[0]
}

/** How many letters to insert, delete or replace to turn `a` into `b`; `limit` or more means: at least so many. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replaced, previous[j] + 1, row[j - 1] + 1))
    }
    previous = row
  }
  return previous[b.length]
}
