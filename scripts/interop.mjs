/** `npm run interop [-- pattern ...]`: the tests that compare Headpond with the programs it replaces. */
import { spawnSync } from 'node:child_process'
import * as path from 'node:path'
import { compiledTests, ensureBuilt, ensureInstalled, ROOT } from './prepare.mjs'
import { runTests } from './runner.mjs'

/** @type {{ program: string, args: string[], required: boolean }[]} */
const REFERENCES = [
  { program: 'redis-server', args: ['--version'], required: true },
  { program: 'redis-cli', args: ['--version'], required: true },
  { program: 'redis-benchmark', args: ['--version'], required: false },
  { program: 'memcached', args: ['-V'], required: false },
  { program: 'kcat', args: ['-V'], required: false },
  { program: 'java', args: ['-version'], required: false },
  { program: 'mvn', args: ['-version'], required: false },
  { program: 'python3', args: ['--version'], required: false },
  { program: 'go', args: ['version'], required: false },
]

console.log('Compared with:')
const missing = REFERENCES.filter(({ program, args, required }) => {
  const answer = spawnSync(program, args, { encoding: 'utf8' })
  // Some say it as if it were an error.
  const said = `${answer.stdout}${answer.stderr}`.trim().split('\n')
  const version = answer.error ? 'not installed' : (said.find((line) => /version/i.test(line)) ?? said[0])
  console.log(`  ${program.padEnd(16)} ${version}`)
  return required && answer.error !== undefined
})
if (missing.length > 0) {
  console.error(`\nMissing: ${missing.map(({ program }) => program).join(', ')}. On Debian or Ubuntu:`)
  console.error('  apt-get install redis-server redis-tools memcached kcat')
  process.exit(1)
}

const patterns = process.argv.slice(2)
ensureInstalled()
const built = ensureBuilt(['interop'])
const files = compiledTests('interop', patterns)
if (files.some((file) => file.split(path.sep).includes('kafka'))) {
  // What is fetched and compiled once takes longer than a test may.
  const prepare = path.join(ROOT, 'interop/dist/kafka/prepare.js')
  spawnSync(process.execPath, ['--conditions=headpond-repository', prepare], { stdio: 'inherit' })
}
const status = runTests(files, patterns)
process.exitCode = built ? status : 1
