/** What a template for the process list may speak of. */
export interface ProcTitleValues {
  readonly title: string
  readonly 'listen-addr': string
  readonly 'server-mode': string
  readonly port: string
  readonly 'tls-port': string
  readonly unixsocket: string
  readonly 'config-file': string
}

/** The template with its variables filled in; `{{` is a brace. Undefined when it names others or leaves nothing to show. */
export function expandProcTitle(template: string, values: ProcTitleValues): string | undefined {
  let isValid = true
  const expanded = template.replace(/\{\{|\{([^}]*)(\}?)/g, (found, name: string | undefined, end: string) => {
    if (found === '{{') return '{'
    if (end === '' || !Object.hasOwn(values, name!)) isValid = false
    return values[name as keyof ProcTitleValues] ?? ''
  })
  const title = expanded.replace(/^ +| +$/g, '')
  return isValid && title !== '' ? title : undefined
}

/** What is wrong with a template, in Redis's words. */
export function checkProcTitle(template: string): string | undefined {
  const title = expandProcTitle(template, VALUES_TO_CHECK_BY)
  return title === undefined ? 'template format is invalid or contains unknown variables' : undefined
}

/** As in Redis, a title has to show something that is never empty. */
const VALUES_TO_CHECK_BY: ProcTitleValues = {
  title: '',
  'listen-addr': '*:0',
  'server-mode': '',
  port: '0',
  'tls-port': '0',
  unixsocket: '',
  'config-file': '-',
}
