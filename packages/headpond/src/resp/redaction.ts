import { findDirective } from '../config/directives.ts'
import type { Command } from './command.ts'
import type { Request } from './request.ts'

const REDACTED = Buffer.from('(redacted)')

/** The arguments of a command as copies for other eyes (MONITOR, the slow log): secrets are replaced, as in Redis. */
export function redactedArguments(command: Command, request: Request): Buffer[] {
  const args = request.toArray()
  for (const index of secretArguments(command, request)) args[index] = REDACTED
  return args
}

function secretArguments(command: Command, request: Request): number[] {
  const indexes = Array.from({ length: request.count }, (_, index) => index)
  switch (command.fullName) {
    case 'auth':
      return indexes.slice(1)
    case 'acl|setuser':
      return indexes.slice(2)
    case 'hello':
      return indexes
        .flatMap((index) => (index >= 2 && request.is(index, 'AUTH') ? [index + 1, index + 2] : []))
        .filter((index) => index < request.count)
    case 'config|set':
      return indexes.filter((index) => index >= 3 && index % 2 === 1 && isSecret(request.text(index - 1)))
    default:
      return []
  }
}

function isSecret(directive: string): boolean {
  return findDirective(directive)?.secret ?? false
}
