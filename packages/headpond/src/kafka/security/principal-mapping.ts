/**
 * `ssl.principal.mapping.rules`: which user the subject of a certificate is. Rules stand in a list, the first that matches
 * counts: `RULE:^CN=(.*?),OU=Users.*$/$1/L`, and DEFAULT, which takes the subject as it is.
 */

const RULE = /^(?:(DEFAULT)|RULE:((?:\\.|[^\\/])*)\/((?:\\.|[^\\/])*)\/([LU]?))\s*(?:,|\n|$)/

interface Rule {
  /** Null: DEFAULT. */
  readonly pattern: RegExp | null
  readonly replacement: string
  readonly letters: '' | 'L' | 'U'
}

export class PrincipalMapping {
  readonly #rules: readonly Rule[]

  private constructor(rules: readonly Rule[]) {
    this.#rules = rules
  }

  /** Returns why it is none. */
  static parse(text: string): PrincipalMapping | string {
    const rules: Rule[] = []
    for (let rest = text.trim(); rest !== ''; ) {
      const match = RULE.exec(rest)
      if (match === null) return `Invalid rule: ${rest}`
      const [whole, isDefault, pattern, replacement, letters] = match
      try {
        rules.push({
          pattern: isDefault === undefined ? new RegExp(`^(?:${pattern})$`) : null,
          replacement: replacement ?? '',
          letters: (letters ?? '') as Rule['letters'],
        })
      } catch {
        return `Invalid rule: ${whole}`
      }
      rest = rest.slice(whole.length).trim()
    }
    return new PrincipalMapping(rules)
  }

  /** Null: no rule is about it. */
  nameOf(subject: string): string | null {
    for (const { pattern, replacement, letters } of this.#rules) {
      if (pattern === null) return subject
      const match = pattern.exec(subject)
      if (match === null) continue
      // A reference to a group that is not there stands for itself.
      const name = replacement.replace(/\\(.)|\$(\d)/g, (reference, character: string | undefined, group: string) =>
        character !== undefined ? character : Number(group) < match.length ? (match[Number(group)] ?? '') : reference,
      )
      return letters === 'L' ? name.toLowerCase() : letters === 'U' ? name.toUpperCase() : name
    }
    return null
  }
}
