#!/usr/bin/env node
import { subcommands } from './subcommands.ts'

/** The executable: the server, or what the first word asks for. Only what is asked for is loaded. */
async function main(argv: readonly string[]): Promise<number> {
  const subcommand = subcommands.find(({ name }) => name === argv[0])
  if (subcommand !== undefined) return subcommand.run(argv.slice(1))
  if (argv.includes('--help') || argv.includes('-h')) {
    const { helpText } = await import('../config/help.ts')
    process.stdout.write(helpText(subcommands))
    return 0
  }
  if (argv.includes('--version') || argv.includes('-v')) {
    const [{ HEADPOND_VERSION }, { REDIS_VERSION }] = await Promise.all([
      import('../server/version.ts'),
      import('../resp/version.ts'),
    ])
    // Whoever starts redis-server looks for its version behind `v=`.
    process.stdout.write(
      `Headpond ${HEADPOND_VERSION} (Node ${process.versions.node}), Redis server v=${REDIS_VERSION}\n`,
    )
    return 0
  }
  const { serve } = await import('./serve.ts')
  return serve(argv)
}

main(process.argv.slice(2)).then(
  (exitCode) => {
    process.exitCode = exitCode
  },
  (error: unknown) => {
    process.stderr.write(`headpond: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  },
)
