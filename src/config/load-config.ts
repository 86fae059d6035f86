import { isUtf8 } from 'node:buffer'
import { closeSync, openSync, readSync } from 'node:fs'
import { type Document, LineCounter, parseDocument, type YAMLError } from 'yaml'
import { applyEnvironment, CONFIG_FILE_VARIABLE, type Environment } from './environment.ts'
import { configRefused, type Problem, problemsOf } from './problems.ts'
import { relationProblems, warningsOf } from './relations.ts'
import { type Config, configSchema } from './schema.ts'

/** Read when neither an option nor the environment names a file. */
const DEFAULT_CONFIG_FILE = 'sealstream.yaml'

/** Some ten thousand domains with KEKs of their own; also the end of a device that has none. */
const FILE_BYTES_MAX = 1024 * 1024

/** A configuration that may be used, and what to say about it. */
export interface LoadedConfig {
  readonly config: Config
  /** One line each, `path: reason`. */
  readonly warnings: readonly string[]
}

/** The file to read: the option, else SEALSTREAM_CONFIG, else ./sealstream.yaml. */
export function configFileOf(file: string | undefined, env: Environment): string {
  return file ?? env[CONFIG_FILE_VARIABLE] ?? DEFAULT_CONFIG_FILE
}

/**
 * Reads the configuration from its YAML file and the SEALSTREAM_* variables over it.
 * Throws SEAL_CONFIG_INVALID with every problem as `path: reason`; no value is ever repeated.
 */
export function loadConfig(options: {
  readonly file?: string | undefined
  readonly env: Environment
}): LoadedConfig {
  const file = configFileOf(options.file, options.env)
  const refused = (reason: string) => configRefused('the configuration', [{ path: file, reason }])
  let bytes: Buffer
  try {
    bytes = readStart(file, FILE_BYTES_MAX + 1)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no reason given'
    if (code !== 'ENOENT') throw refused(`cannot be read (${code})`)
    throw refused(`no such file, name one with --config or ${CONFIG_FILE_VARIABLE}`)
  }
  if (bytes.length > FILE_BYTES_MAX) throw refused('is more than 1MiB')
  // Else a password would change without a word.
  if (!isUtf8(bytes)) throw refused('is not UTF-8')
  return parseConfig(bytes.toString('utf8'), options.env, file)
}

/** The first bytes of a file, a pipe or a device. */
function readStart(file: string, bytesMax: number): Buffer {
  const bytes = Buffer.alloc(bytesMax)
  const handle = openSync(file, 'r')
  try {
    let size = 0
    for (let read = 1; read > 0 && size < bytesMax; size += read) {
      read = readSync(handle, bytes, size, bytesMax - size, null)
    }
    return bytes.subarray(0, size)
  } finally {
    closeSync(handle)
  }
}

/** As {@link loadConfig}, from YAML at hand; `name` stands for the file in messages. */
export function parseConfig(text: string, env: Environment, name: string): LoadedConfig {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    version: '1.2',
  })
  const yamlIssues = [...document.errors, ...document.warnings]
  const yamlProblems = yamlIssues.map((issue) => yamlProblem(issue, lines, text))
  // A duplicate key still leaves a readable tree, and the rest of it is worth a check.
  if (yamlIssues.some((issue) => issue.code !== 'DUPLICATE_KEY')) {
    throw configRefused(name, yamlProblems)
  }
  const { tree, problems } = applyEnvironment(treeOf(document, name), env)
  const parsed = configSchema.safeParse(tree)
  const valueProblems = [...yamlProblems, ...problems]
  if (!parsed.success) valueProblems.push(...problemsOf(parsed.error))
  if (!parsed.success || valueProblems.length > 0) throw configRefused(name, valueProblems)
  const related = relationProblems(parsed.data)
  if (related.length > 0) throw configRefused(name, related)
  return { config: freeze(parsed.data), warnings: warningsOf(parsed.data) }
}

/** The parser's own words quote the text, which may be a password: only its code is passed on. */
function yamlProblem(issue: YAMLError, lines: LineCounter, text: string): Problem {
  const { line, col } = lines.linePos(issue.pos[0])
  const key = /^["']?([\w-]+)["']?\s*:/.exec(text.slice(issue.pos[0]))?.[1]
  const reason =
    issue.code === 'DUPLICATE_KEY'
      ? `duplicate key${key === undefined ? '' : ` ${key}`}`
      : `not valid YAML (${issue.code.toLowerCase().replaceAll('_', ' ')})`
  return { path: `line ${line}, column ${col}`, reason }
}

function treeOf(document: Document, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch {
    const reason = 'has an alias that leads nowhere, or aliases that grow without end'
    throw configRefused(name, [{ path: 'the file', reason }])
  }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) freeze(inner)
    Object.freeze(value)
  }
  return value
}
