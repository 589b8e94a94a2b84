/**
 * Runs a restart at most once at a time. Requests that come while one runs are folded into a single further run, and
 * requests that come close together into one.
 */
export class Restarter {
  private running: Promise<void> | undefined;
  private queued = false;
  private timer: NodeJS.Timeout | undefined;
  private disposed = false;

  constructor(
    private readonly restart: () => Promise<void>,
    private readonly quietMs: number,
  ) {}

  /** Restart after a quiet moment; further calls in that moment start it anew. */
  requestSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.request(), this.quietMs);
  }

  /** Restart now, or once more after the running restart. Resolves when nothing is left to do; never rejects. */
  request(): Promise<void> {
    clearTimeout(this.timer);
    if (this.disposed) return Promise.resolve();
    if (this.running) {
      this.queued = true;
      return this.running;
    }
    this.running = this.drain().finally(() => (this.running = undefined));
    return this.running;
  }

  private async drain(): Promise<void> {
    do {
      this.queued = false;
      await this.restart();
    } while (this.queued && !this.disposed);
  }

  /** No further restart begins; resolves when the running one is over. */
  async dispose(): Promise<void> {
    this.disposed = true;
    clearTimeout(this.timer);
    await this.running;
  }
}
