import { type ConfigFiles, systemMessage } from '../config/files.ts'
import { ruleErrors } from './rule-error.ts'
import { mergeSelectors, type User } from './user.ts'
import { isUserName, type UserDirectory } from './user-directory.ts'

/**
 * The file of `aclfile`: a line `user <name> <rule> ...` for each user, words between single spaces, no quoting and no
 * comments. Redis reads and writes the same.
 */

/** Reads the users of a file into the directory: all of them, or none when something is wrong, which is returned. */
export function loadAclFile(users: UserDirectory, path: string, files: ConfigFiles): string | null {
  let text: string
  try {
    text = Buffer.from(files.read(path)).toString('latin1')
  } catch (error) {
    return `Error loading ACLs, opening file '${path}': ${systemMessage(error)}`
  }
  const read = new Map<string, User>()
  const problems = text.split('\n').flatMap((line, index) => readLine(line, index + 1, path, users, read))
  if (problems.length > 0) {
    return `${problems.join('')}WARNING: ACL errors detected, no change to the previously active ACL rules was performed`
  }
  users.replaceAll([...read.values()])
  return null
}

/** Adds the user of a line to `read`. What is wrong is returned: of a rule, only the first mistake that is no name. */
function readLine(
  line: string,
  lineNumber: number,
  path: string,
  users: UserDirectory,
  read: Map<string, User>,
): string[] {
  const place = `${path}:${lineNumber}`
  const trimmed = line.replace(/^[ \t\r]+|[ \t\r]+$/g, '')
  if (trimmed === '') return []
  const [keyword, name, ...words] = trimmed.split(' ')
  if (keyword !== 'user' || name === undefined) {
    return [`${place} should start with user keyword followed by the username. `]
  }
  if (!isUserName(name)) return [`'${place}: username '${name}' contains invalid characters. `]
  if (read.has(name)) return [`WARNING: Duplicate user '${name}' found on line ${lineNumber}. `]
  const user = users.newUser(name)
  read.set(name, user)
  const rules = mergeSelectors(words)
  if ('unmatchedIndex' in rules) return [`${place}: Unmatched parenthesis in selector definition.`]

  const problems: string[] = []
  let isTold = false
  for (const rule of rules.map((each) => each.replace(/^[\t\r]+|[\t\r]+$/g, ''))) {
    const error = user.apply(rule)
    if (error === null) continue
    // A name holds no secret, and it helps to see it. Other rules may be passwords.
    if (error === 'UNKNOWN_COMMAND') {
      problems.push(`${place}: Error in applying operation '${rule}': ${ruleErrors[error]}. `)
    } else if (!isTold) {
      problems.push(`${place}: ${ruleErrors[error]}. `)
      isTold = true
    }
  }
  return problems
}

/** Writes all users into the file; throws as the file system does. */
export function saveAclFile(users: UserDirectory, path: string, files: ConfigFiles): void {
  const lines = users.all().map((user) => `user ${user.name} ${user.describe()}\n`)
  files.replace(path, Buffer.from(lines.join(''), 'latin1'))
}
