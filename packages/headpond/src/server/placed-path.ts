import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Config } from '../config/config.ts'

/**
 * Where a file lies whose directive gives a relative path: in `dir` where that is given, for it is the working directory
 * of a Redis server; else where the server was started.
 */
export function placedPath(config: Config, path: string): string {
  if (!config.isSet('dir')) return resolve(path)
  const { dir, ephemeral } = config.settings
  // The log begins before the data directory is looked at. What is wrong with it is told then.
  if (!ephemeral) {
    try {
      mkdirSync(dir, { recursive: true })
    } catch {}
  }
  return resolve(dir, path)
}
