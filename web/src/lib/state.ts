import { useEffect, useState } from 'preact/hooks';

/** A value that components follow. */
export interface State<T> {
  get(): T;
  set(value: T): void;
  /** Follows the value inside a component. */
  use(): T;
}

/** Makes a value that components follow; they are drawn again at most once a frame. */
export function createState<T>(initial: T): State<T> {
  let value = initial;
  const followers = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const follower of followers) follower();
    },
    use() {
      const [seen, setSeen] = useState(value);
      useEffect(() => {
        const follow = (): void => setSeen(() => value);
        followers.add(follow);
        follow();
        return () => {
          followers.delete(follow);
        };
      }, []);
      return seen;
    },
  };
}
