/** `npm run lint`: format and lint, types, floors. Reports all of them, then fails if any failed. */
import * as path from 'node:path'
import { checkFloors } from './floors.mjs'
import { ensureBuilt, ensureInstalled, ROOT, runTool } from './prepare.mjs'

ensureInstalled()

/** @type {[name: string, passes: () => boolean][]} */
const steps = [
  ['format and lint', () => runTool('@biomejs/biome/bin/biome', ['ci', '.']) === 0],
  ['types', () => ensureBuilt()],
  ['types of the scripts', () => runTool('typescript/bin/tsc', ['-p', 'scripts']) === 0],
  ['floors', () => checkFloors(path.join(ROOT, 'packages/headpond/src'))],
]

const failed = steps.filter(([, passes]) => !passes()).map(([name]) => name)
console.log(failed.length === 0 ? 'lint: clean' : `lint: failed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
