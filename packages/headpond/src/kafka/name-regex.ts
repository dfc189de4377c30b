import { RE2JS } from 're2js'

/** Names (of topics, transactional ids) that match a regular expression as a whole. */
export interface NameRegex {
  matches(name: string): boolean
}

/**
 * RE2's expressions, as Kafka has them: those of JavaScript mean other things, and can take for ever on a name.
 * Null for what is none.
 */
export function compileNameRegex(text: string): NameRegex | null {
  try {
    const pattern = RE2JS.compile(text)
    return { matches: (name) => pattern.matches(name) }
  } catch {
    return null
  }
}
