import { EXIT_CODES } from './exit-codes.ts'

/** How a command ends that this signal stopped: as a shell would say it. */
export function stoppedCode({ reason }: AbortSignal): number {
  return reason === 'SIGINT' ? EXIT_CODES.interrupted : EXIT_CODES.terminated
}

/** A request from outside to end in good order. */
export interface StopSignal {
  /** Resolves with the first SIGTERM or SIGINT. */
  readonly requested: Promise<void>
  /** Aborts at the same moment, with the name of the signal as its reason. */
  readonly signal: AbortSignal
  /** Stops listening. */
  release(): void
}

/**
 * Listens for SIGTERM and SIGINT. The first one asks; the second one ends the process at once,
 * because somebody is waiting.
 */
export function stopSignal(): StopSignal {
  const controller = new AbortController()
  const { promise: requested, resolve } = Promise.withResolvers<void>()
  const onSignal = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      process.exit(signal === 'SIGINT' ? EXIT_CODES.interrupted : EXIT_CODES.terminated)
    }
    controller.abort(signal)
    resolve()
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  return {
    requested,
    signal: controller.signal,
    release: () => void process.off('SIGTERM', onSignal).off('SIGINT', onSignal),
  }
}
