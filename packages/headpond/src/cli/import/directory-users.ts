import { readdirSync, readlinkSync, realpathSync } from 'node:fs'
import { sep } from 'node:path'

/**
 * Another process that has a file of a directory open, or undefined: two servers on one directory would write over each
 * other. Only Linux tells, and only of processes of the same user.
 */
export function processUsing(directory: string): number | undefined {
  let prefix: string
  try {
    prefix = realpathSync(directory) + sep
  } catch {
    return undefined // it is not there
  }
  return namesIn('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .find((pid) => namesIn(`/proc/${pid}/fd`).some((fd) => targetOf(`/proc/${pid}/fd/${fd}`).startsWith(prefix)))
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return [] // another user's, or gone by now
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}
