// Typed events. A listener that throws harms neither the others nor the one who emits.

type Listener<T> = (event: T) => void;

export class Emitter<Events extends object> {
  readonly #listeners: { [Name in keyof Events]?: Set<Listener<Events[Name]>> } = {};

  /** Adds a listener. @returns what removes it. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const listeners = (this.#listeners[name] ??= new Set());
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners[name] ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        // An uncaught exception, as anywhere else, but not in the middle of a state being changed.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
