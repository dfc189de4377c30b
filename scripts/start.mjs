/**
 * `npm start`: installs and builds when needed, then becomes the server: the same process, so that signals and stdin
 * are the server's own. (For the same reason package.json says `exec`: a shell left standing between npm and this
 * process would swallow the signals.)
 */
import * as fs from 'node:fs'
import { pathToFileURL } from 'node:url'
import { ensureBuilt, ensureInstalled, MAIN } from './prepare.mjs'

try {
  ensureInstalled()
  if (!ensureBuilt(['server'])) {
    if (!fs.existsSync(MAIN)) throw new Error('the build failed; see its messages above')
    console.error('headpond: the build has errors (above); starting what could be built')
  }
} catch (error) {
  console.error(`headpond: ${/** @type {Error} */ (error).message}`)
  process.exit(1)
}

process.argv[1] = MAIN
performance.mark('headpond prepared')
await import(pathToFileURL(MAIN).href)
