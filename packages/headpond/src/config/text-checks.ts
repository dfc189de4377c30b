/** Conditions that some texts must meet: undefined, or what is wrong, in Redis's words. */

/** A name inside a directory, not a path out of it. */
export function checkName(name: string, directive: string, kind: string, mayBeEmpty: boolean): string | undefined {
  if (name === '') return mayBeEmpty ? undefined : `${directive} can't be empty`
  const isPath = name.includes('/') || name.includes('\\')
  return isPath ? `${directive} can't be a path, just ${kind}` : undefined
}

export function checkHostname(host: string): string | undefined {
  if (Buffer.byteLength(host) >= 256) return 'Hostnames must be less than 256 characters'
  return /^[a-zA-Z0-9.-]*$/.test(host)
    ? undefined
    : 'Hostnames may only contain alphanumeric characters, hyphens or dots'
}

const PROC_TITLE_VARIABLES = ['title', 'listen-addr', 'server-mode', 'port', 'tls-port', 'unixsocket', 'config-file']

const BAD_TEMPLATE = 'template format is invalid or contains unknown variables'

/** Every `{` must begin one of the known variables; a `}` elsewhere is text. */
export function checkProcTitle(template: string): string | undefined {
  if (template === '') return BAD_TEMPLATE
  for (const [, variable] of template.matchAll(/\{([^}]*\}?)/g)) {
    if (!variable.endsWith('}') || !PROC_TITLE_VARIABLES.includes(variable.slice(0, -1))) {
      return BAD_TEMPLATE
    }
  }
  return undefined
}
