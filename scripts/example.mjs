/**
 * `npm run example:email-dedup`: installs and builds what an example needs, then becomes that example: the same process, so
 * that signals are its own.
 */
import * as path from 'node:path'
import { pathToFileURL } from 'node:url'
import { EXAMPLES, ensureBuilt, ensureInstalled, ROOT } from './prepare.mjs'

const name = EXAMPLES.find((each) => each === process.argv[2])
if (name === undefined) {
  console.error(`Which example? ${EXAMPLES.join(', ')}`)
  process.exit(2)
}

ensureInstalled()
if (!ensureBuilt([name])) {
  console.error(`${name}: the build failed; see its messages above`)
  process.exit(1)
}

const main = path.join(ROOT, 'examples', name, 'dist/main.js')
process.argv.splice(1, 2, main)
await import(pathToFileURL(main).href)
