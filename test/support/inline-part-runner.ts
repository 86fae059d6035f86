import { nodeEngine } from '../../src/crypto/cipher-engine.ts'
import type { MappingWriter } from '../../src/mapping/mapping-store.ts'
import type { PartResult, PartRunner, PartTask } from '../../src/pipeline/part-task.ts'
import { workPart } from '../../src/pipeline/part-worker.ts'
import type { ObjectStore } from '../../src/segment/object-store.ts'
import { Gate } from './gate.ts'

/** Runs parts on this thread. Takes the buffer away from its sender, as a worker does. */
export class InlinePartRunner implements PartRunner {
  /** Every task as it came in. */
  readonly tasks: PartTask[] = []
  /** Holds tasks before they are worked. */
  readonly gate = new Gate()
  readonly #journal: string[]
  readonly #services: { readonly store: ObjectStore; readonly mapping: MappingWriter }

  constructor(journal: string[], store: ObjectStore, mapping: MappingWriter) {
    this.#journal = journal
    this.#services = { store, mapping }
  }

  async run(task: PartTask): Promise<PartResult> {
    this.#journal.push(`run ${task.segment.segmentId}`)
    this.tasks.push(task)
    const own = { ...task, buffer: task.buffer.transfer() }
    await this.gate.pass()
    return workPart(own, { engine: nodeEngine, referencePer: 'message', ...this.#services })
  }

  async close(): Promise<void> {}
}
