import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

const LOOK_AGAIN_MS = 100

/**
 * Makes this process the owner of something, by a file with its process id. An owner that lives is given some time to end: it may
 * be our predecessor, about to stop. What a dead one has left behind is removed. Gives the function that ends the ownership.
 */
export async function takeOwnership(ownerFile: string, leftBehind: string, patienceMs: number): Promise<() => void> {
  for (let waitedMs = 0; ; ) {
    try {
      writeFileSync(ownerFile, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const owner = ownerIn(ownerFile)
    // In a container every process may have the id that its predecessor had.
    if (owner !== process.pid && isAlive(owner)) {
      if (waitedMs < patienceMs) {
        await pause(LOOK_AGAIN_MS)
        waitedMs += LOOK_AGAIN_MS
        continue
      }
      throw new Error(`process ${owner} has it open; if that is no process of ours, remove ${ownerFile}`)
    }
    rmSync(ownerFile, { force: true })
  }
  rmSync(leftBehind, { recursive: true, force: true })
  return () => rmSync(ownerFile, { force: true })
}

/** 0 when it has just ended its ownership. */
function ownerIn(ownerFile: string): number {
  try {
    return Number(readFileSync(ownerFile, 'utf8'))
  } catch {
    return 0
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
