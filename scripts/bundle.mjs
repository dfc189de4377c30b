/**
 * Puts the executable together: the compiled modules of cli/main.ts in a few files, since loading each from its own takes
 * 100 ms longer. Packages stay what they are: dependencies. prepare.mjs runs this once they are installed.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { build } from 'rolldown'
import { MAIN, ROOT } from './prepare.mjs'

const { dependencies } = JSON.parse(fs.readFileSync(path.join(ROOT, 'packages/headpond/package.json'), 'utf8'))

await build({
  input: path.join(ROOT, 'packages/headpond/dist/cli/main.js'),
  platform: 'node',
  external: Object.keys(dependencies),
  logLevel: 'warn',
  output: {
    dir: path.dirname(MAIN),
    format: 'esm',
    entryFileNames: path.basename(MAIN),
    chunkFileNames: '[name].js',
    cleanDir: true,
  },
})
