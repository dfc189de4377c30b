import { RE2JS, RE2JSSyntaxException } from 're2js'

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

/** What is wrong with an expression, in RE2's words; null: nothing. */
export function nameRegexProblem(text: string): string | null {
  try {
    RE2JS.compile(text)
    return null
  } catch (error) {
    return error instanceof RE2JSSyntaxException ? error.getDescription() : (error as Error).message
  }
}
