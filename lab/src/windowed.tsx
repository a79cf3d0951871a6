/** A list of any length, of which only the rows in sight are drawn. */

import * as React from 'react';

interface IWindowedProps<T> {
  items: readonly T[];
  /** A row's height in pixels, the same for all. */
  height: number;
  /** The list's name for a screen reader. */
  label: string;
  keyOf: (item: T) => string;
  selected: string;
  onSelect: (key: string) => void;
  children: (item: T) => React.ReactNode;
}

const BEYOND = 8; // rows drawn above and below those in sight

export function Windowed<T>(props: IWindowedProps<T>): React.ReactElement | null {
  const { items, height, keyOf, selected, onSelect } = props;
  const box = React.useRef<HTMLDivElement>(null);
  const [top, setTop] = React.useState(0);
  const [size, setSize] = React.useState(400);
  const id = React.useId();
  const isEmpty = !items.length;
  React.useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setSize(box.current?.clientHeight ?? 0));
    if (box.current) {
      observer.observe(box.current);
    }
    return () => observer.disconnect();
  }, [isEmpty]);

  const first = Math.max(0, Math.floor(top / height) - BEYOND);
  const shown = items.slice(first, Math.ceil((top + size) / height) + BEYOND);
  const at = items.findIndex(item => keyOf(item) === selected);

  const go = (to: number) => {
    const next = Math.min(items.length - 1, Math.max(0, to));
    const element = box.current;
    if (!element || next < 0) {
      return;
    }
    onSelect(keyOf(items[next]));
    if (next * height < element.scrollTop) {
      element.scrollTop = next * height;
    } else if ((next + 1) * height > element.scrollTop + element.clientHeight) {
      element.scrollTop = (next + 1) * height - element.clientHeight;
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const page = Math.max(1, Math.floor(size / height) - 1);
    const steps: { [key: string]: number } = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: items.length - 1
    };
    if (event.key in steps) {
      event.preventDefault();
      go(steps[event.key]);
    }
  };

  if (isEmpty) {
    return null;
  }
  const isDrawn = at >= first && at < first + shown.length;
  return (
    <div
      ref={box}
      className="jp-jstackmagic-list"
      role="listbox"
      tabIndex={0}
      aria-label={props.label}
      aria-activedescendant={isDrawn ? `${id}${at}` : undefined}
      onKeyDown={onKeyDown}
      onScroll={event => setTop(event.currentTarget.scrollTop)}
    >
      <div role="presentation" style={{ height: items.length * height, position: 'relative' }}>
        {shown.map((item, index) => (
          <div
            key={keyOf(item)}
            id={`${id}${first + index}`}
            role="option"
            aria-selected={keyOf(item) === selected}
            aria-setsize={items.length}
            aria-posinset={first + index + 1}
            className="jp-jstackmagic-row"
            style={{ height, top: (first + index) * height }}
            onClick={() => onSelect(keyOf(item))}
          >
            {props.children(item)}
          </div>
        ))}
      </div>
    </div>
  );
}
