import { Interrupted } from '../examples/demo/demo-error.ts'

let stopping: AbortController | null = null

/**
 * Aborts with an {@link Interrupted} when the program is asked to end (Ctrl-C), and with any error that
 * nobody caught, so that services and folders are taken away first. Whoever asks a second time does not want to wait for that.
 */
export function benchEnd(): AbortSignal {
  if (stopping !== null) return stopping.signal
  const controller = new AbortController()
  stopping = controller
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(new Interrupted(name).exitCode)
      process.stderr.write('\nstopping, one moment\n')
      controller.abort(new Interrupted(name))
    })
  }
  // Nothing must end the program before what it started.
  process.on('uncaughtException', (error) => {
    if (controller.signal.aborted) return
    controller.abort(error)
  })
  return controller.signal
}
