import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

/** Modules are machine code for redis-server: none is ever loaded. */
function list(_client: Client, _request: Request, reply: Reply): void {
  reply.array(0)
}

function load(client: Client, _request: Request, reply: Reply): void {
  if (isAllowed(client, reply)) reply.error('ERR Error loading the extension. Please check the server logs.')
}

function unload(client: Client, _request: Request, reply: Reply): void {
  if (isAllowed(client, reply)) reply.error('ERR Error unloading module: no such module with that name')
}

function isAllowed(client: Client, reply: Reply): boolean {
  const allowed = client.engine.settings.enableModuleCommand
  if (allowed === 'yes' || (allowed === 'local' && client.isLocal)) return true
  reply.error(
    'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a ' +
      'local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
  )
  return false
}

const HELP = [
  'LIST',
  '    Return a list of loaded modules.',
  'LOAD <path> [<arg> ...]',
  '    Load a module library from <path>, passing to it any optional arguments.',
  'LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]',
  '    Load a module library from <path>, while passing it module configurations and optional arguments.',
  'UNLOAD <name>',
  '    Unload a module.',
]

export const moduleCommands: readonly CommandSpec[] = [
  {
    name: 'MODULE',
    arity: -2,
    flags: [],
    acl: [],
    group: 'server',
    since: '4.0.0',
    complexity: 'Depends on subcommand.',
    summary: 'Modules, of which there are none.',
    subcommands: [
      helpSubcommand('MODULE', { acl: [], group: 'server', since: '5.0.0' }, HELP),
      {
        name: 'LIST',
        arity: 2,
        flags: ['admin', 'noscript'],
        acl: [],
        group: 'server',
        since: '4.0.0',
        complexity: 'O(N) where N is the number of loaded modules.',
        summary: 'Answers the modules that are loaded.',
        tips: ['nondeterministic_output_order'],
        handler: list,
      },
      {
        name: 'LOAD',
        arity: -3,
        flags: ['admin', 'noscript', 'no_async_loading'],
        acl: [],
        group: 'server',
        since: '4.0.0',
        complexity: 'O(1)',
        summary: 'Loads a module.',
        args: 'path [arg...]',
        handler: load,
      },
      {
        name: 'LOADEX',
        arity: -3,
        flags: ['admin', 'noscript', 'no_async_loading'],
        acl: [],
        group: 'server',
        since: '7.0.0',
        complexity: 'O(1)',
        summary: 'Loads a module with configuration.',
        args: 'path [CONFIG configs{name value}+...] [ARGS args{arg}...]',
        handler: load,
      },
      {
        name: 'UNLOAD',
        arity: 3,
        flags: ['admin', 'noscript', 'no_async_loading'],
        acl: [],
        group: 'server',
        since: '4.0.0',
        complexity: 'O(1)',
        summary: 'Unloads a module.',
        args: 'name',
        handler: unload,
      },
    ],
  },
]
