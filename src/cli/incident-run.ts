import type { IncidentServices } from '../compose/incident.ts'
import type { Config } from '../config/schema.ts'
import type { ImpactPage } from '../incident/impact.ts'
import { actorOfOperator, newInstanceId } from '../keys/instance.ts'
import { type IncidentRunEnd, runIncident } from '../response/run-incident.ts'
import type { StepControl, StepListener } from '../response/step-work.ts'
import { type DataOutput, openOutputFile } from './data-output.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { type ListFormat, listHead, listLines } from './list-lines.ts'
import { printable } from './printable.ts'
import { type StepProgress, stepProgress } from './step-progress.ts'
import { type StopSignal, stoppedCode } from './stop-signal.ts'
import type { Terminal } from './terminal.ts'

/** How an incident is run from this terminal. */
export interface RunSettings extends Pick<StepControl, 'pace' | 'dead' | 'isKmsTold'> {
  readonly incidentId: string
  readonly takeOver: string | null
  /** Where the list of messages goes; null for nowhere. */
  readonly listFile: string | null
  readonly stop: StopSignal
  /** Whether nothing but the result may be said. */
  readonly isQuiet: boolean
}

/** Runs an incident, tells on stderr how it goes, and sets the exit code. */
export async function runFromTerminal(
  config: Config,
  services: IncidentServices,
  settings: RunSettings,
  terminal: Terminal,
): Promise<IncidentRunEnd> {
  const { incidentSteps } = await import('../compose/incident-steps.ts')
  const { incidentId, pace, dead, isKmsTold, takeOver, stop } = settings
  const progress = stepProgress()
  const say = (text: string) => {
    if (!settings.isQuiet) terminal.err(`sealstream: ${printable(text)}\n`)
  }
  const list = settings.listFile === null ? null : new ListFile(settings.listFile)
  const control: StepControl = {
    ...{ signal: stop.signal, pace, dead, isKmsTold, listener: listenerOf(progress, say) },
    takePage: list === null ? null : (page) => list.take(page),
  }
  try {
    const end = await runIncident({ ...services, work: incidentSteps(config) }, incidentId, {
      ...{ actor: actorOfOperator(), runId: newInstanceId(), takeOver, control },
      onStep: (incident, step) => {
        progress.end()
        const one = incident.steps.find((each) => each.step === step)
        say(`${step}: ${one?.state ?? ''}`)
      },
    })
    terminal.exitCode = exitCodeOf(end, stop)
    return end
  } finally {
    progress.end()
    await list?.close()
  }
}

function listenerOf(progress: StepProgress, say: (text: string) => void): StepListener {
  return {
    began: (what, total) => progress.stepBegan(what, total),
    advanced: (count) => progress.advanced(count),
    instance: ({ instanceId, standing, refusal }) =>
      say(`${instanceId}: ${standing}${refusal === null ? '' : `: ${refusal}`}`),
    said: say,
  }
}

function exitCodeOf({ kind }: IncidentRunEnd, { signal }: StopSignal): number {
  if (kind === 'stopped') return stoppedCode(signal)
  const codes = {
    closed: EXIT_CODES.ok,
    awaiting: EXIT_CODES.approvalMissing,
    unanswered: EXIT_CODES.unanswered,
    left: EXIT_CODES.failed,
    unproven: EXIT_CODES.inconsistent,
  }
  return codes[kind]
}

/** The list of messages, in a file that is made when the first page comes. */
class ListFile {
  readonly #path: string
  readonly #format: ListFormat
  #output: DataOutput | null = null

  constructor(path: string) {
    this.#path = path
    this.#format = path.endsWith('.csv') ? 'csv' : 'ndjson'
  }

  async take(page: ImpactPage): Promise<void> {
    if (this.#output === null) {
      this.#output = await openOutputFile(this.#path)
      await this.#output.write(listHead(this.#format))
    }
    await this.#output.write(listLines(this.#format, page))
  }

  async close(): Promise<void> {
    await this.#output?.close()
  }
}
