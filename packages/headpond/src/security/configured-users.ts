import { ConfigError } from '../config/config-error.ts'
import type { Settings } from '../config/directives.ts'
import type { ConfigFiles } from '../config/files.ts'
import { quoteBytes } from '../config/quoting.ts'
import { loadAclFile } from './acl-file.ts'
import { ruleErrors } from './rule-error.ts'
import type { UserDirectory, UserProblem } from './user-directory.ts'

/**
 * The users that a server starts with: `requirepass`, then those of `user` lines or those of the file of `aclfile`.
 * Throws ConfigError. Passwords are not repeated in it.
 *
 * @param aclPath the absolute path of the file; undefined without one
 */
export function loadConfiguredUsers(
  users: UserDirectory,
  settings: Settings,
  aclPath: string | undefined,
  files: ConfigFiles,
): void {
  users.setDefaultPassword(Buffer.from(settings.requirepass))
  if (aclPath !== undefined && settings.user.length > 0) {
    throw new ConfigError('aclfile', 'there are users in the configuration too', 'Keep users in one of the two places.')
  }
  const seen = new Set<string>()
  for (const [name, ...words] of settings.user) {
    const place = `user ${name}`
    if (seen.has(name)) throw new ConfigError(place, ruleErrors.DUPLICATE_USER)
    seen.add(name)
    // What is said of the default user is all that counts of it.
    const rules = name === users.default.name ? ['reset', ...words] : words
    const problem = users.set(byteText(name), rules.map(byteText))
    if (problem !== null) throw new ConfigError(place, explain(problem, rules))
  }
  if (aclPath === undefined) return
  const problems = loadAclFile(users, aclPath, files)
  if (problems !== null) throw new ConfigError(`aclfile ${settings.aclfile}`, problems)
}

function explain(problem: UserProblem, rules: readonly string[]): string {
  switch (problem.kind) {
    case 'name':
      return 'a name has no blanks'
    case 'parenthesis':
      return `unmatched parenthesis in the selector that begins with '${rules[problem.index]}'`
    case 'rule':
      return problem.error === 'UNKNOWN_COMMAND'
        ? `'${problem.rule}': ${ruleErrors[problem.error]}`
        : ruleErrors[problem.error]
  }
}

/** All users as lines for a configuration file, without the word `user`. */
export function configurationLines(users: UserDirectory): string[] {
  return users.all().map((user) => [user.name, ...user.describe().split(' ')].map(quoteWhereNeeded).join(' '))
}

/** Patterns and names may have quotes in them, which mean something in a configuration file. */
function quoteWhereNeeded(word: string): string {
  return /^[!#-&(-[\]-~]+$/.test(word) ? word : quoteBytes(Buffer.from(word, 'latin1'))
}

/** A text with one character for each byte of its UTF-8: what rules and names consist of. */
export function byteText(text: string): string {
  return Buffer.from(text).toString('latin1')
}
