import { url } from 'node:inspector'
import { SealError } from '../../errors.ts'

/** Names of Node's flags, from their start on, that open the memory or write it to a file. */
const DUMPING = [
  ...['--inspect', '--debug-port', '--heapsnapshot-', '--heap-prof', '--report-'],
  // Files that may hold any of these.
  ...['--experimental-config-file', '--experimental-default-config-file'],
]

/** How Node was told to run. */
export interface NodeFlags {
  readonly execArgv: readonly string[]
  /** The value of NODE_OPTIONS. */
  readonly nodeOptions: string | undefined
}

/**
 * Throws SEAL_CONFIG_INVALID, naming the flag and the way out, when this process was started in a
 * way that lets its memory be looked at or written out, or when a debugger is open by now.
 */
export function refuseDumpFlags({ execArgv, nodeOptions }: NodeFlags): void {
  const fromLine = execArgv.map(nameOf).find(isDumping)
  if (fromLine !== undefined) throw refused(`node is run with ${fromLine}`)
  const fromOptions = wordsOf(nodeOptions ?? '')
    .map(nameOf)
    .find(isDumping)
  if (fromOptions !== undefined) throw refused(`NODE_OPTIONS holds ${fromOptions}`)
  // Whatever way there is besides: a file of options, a signal during the start.
  if (url() !== undefined) throw refused('a debugger is open')
  const { reportOnFatalError, reportOnSignal, reportOnUncaughtException } = process.report
  if (reportOnFatalError || reportOnSignal || reportOnUncaughtException) {
    throw refused('diagnostic reports are switched on')
  }
}

/**
 * Keeps SIGUSR1 from opening the debugger: a listener takes the place of Node's own. It does not keep
 * the process alive.
 */
export function ignoreDebugSignal(): void {
  process.on('SIGUSR1', () => {})
}

/** The name in `--name=value`. Node takes underscores for dashes. */
function nameOf(word: string): string {
  return (word.split('=')[0] as string).replaceAll('_', '-')
}

function isDumping(name: string): boolean {
  return DUMPING.some((start) => name.startsWith(start))
}

/** NODE_OPTIONS is parted at blanks; a flag may be in double quotes, and may have escapes there. */
function wordsOf(nodeOptions: string): string[] {
  return nodeOptions.replaceAll('"', '').replaceAll('\\', '').split(/\s+/)
}

function refused(what: string): SealError {
  return new SealError(
    'SEAL_CONFIG_INVALID',
    `${what}, which may lay open the memory and the keys in it; run without, or set process.memoryDumps to allow`,
  )
}
