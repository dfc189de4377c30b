import { spawnSync } from 'node:child_process'
import { exitCode, LaunchError } from './launch-plan.ts'

/** Goes on as another user, as root may; others stay who they are. Throws LaunchError. */
export function assumeIdentity(user: string): void {
  if (process.getuid?.() !== 0 || user === '') return
  const userId = numberOf('-u', user)
  const groupId = numberOf('-g', user)
  if (userId === undefined || groupId === undefined) {
    throw new LaunchError(`can't find the user ${user} to switch to`, exitCode.NO_USER)
  }
  if (userId === 0) return
  try {
    process.setgroups!([])
    process.setgid!(groupId)
    process.setuid!(userId)
  } catch {
    throw new LaunchError(`failed to assume identity of user ${user}`, exitCode.SYSTEM)
  }
}

/** Node knows nothing of the system's users; `id` does, wherever they are kept. */
function numberOf(flag: '-u' | '-g', user: string): number | undefined {
  const { status, stdout } = spawnSync('id', [flag, '--', user], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return status === 0 ? Number(stdout) : undefined
}
