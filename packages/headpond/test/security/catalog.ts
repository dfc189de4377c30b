import { CommandCatalog } from '#src/security/command-catalog.ts'
import type { UserContext } from '#src/security/user.ts'

/** A few commands that stand for all: rules need to know no more of a command than this. */
const commands = [
  { name: 'get', categories: ['read', 'fast'] },
  { name: 'set', categories: ['write', 'slow'] },
  { name: 'del', categories: ['write', 'keyspace', 'slow'] },
  { name: 'select', categories: ['fast'] },
  {
    name: 'config',
    categories: ['slow'],
    subcommands: [
      { name: 'config|get', categories: ['admin', 'slow'] },
      { name: 'config|set', categories: ['admin', 'slow'] },
      { name: 'config|help', categories: ['slow'] },
    ],
  },
]

export const CATEGORIES = ['keyspace', 'read', 'write', 'admin', 'fast', 'slow']
export const NAMES = commands.flatMap(({ name, subcommands = [] }) => [name, ...subcommands.map((each) => each.name)])

let id = 30 // so that the bits of these commands lie in two words
export const catalog = new CommandCatalog(
  commands.map(({ name, categories, subcommands = [] }) => ({
    id: id++,
    name,
    categories,
    subcommands: subcommands.map((each) => ({ ...each, id: id++, subcommands: [] })),
  })),
  CATEGORIES,
)

export const context: UserContext = { catalog, allowsChannelsByDefault: () => false }
