/** Make permanent: the files, the image, and a request to the administrator. */

import * as React from 'react';

import { Gone, VerbError } from './link';
import { KernelModel } from './model';
import { Field, Line, Problem, Table } from './parts';
import { IAsked, IExport, IProblem } from './schema';
import { ITabProps } from './tabs';
import { lineOf } from './words';

export function Keep(props: ITabProps) {
  return (
    <>
      <File {...props} />
      <Push {...props} />
      {props.kernel.info?.host.hub && <Ask {...props} />}
    </>
  );
}

function File({ kernel, model, trans }: ITabProps) {
  const [formats, setFormats] = React.useState<string[]>([]);
  const [format, setFormat] = React.useState('dockerfile');
  const [takesBase, setTakesBase] = React.useState(false);
  const [base, setBase] = React.useState('');
  const [file, setFile] = React.useState<string | null>(null);
  React.useEffect(() => {
    kernel.link.ask<string[]>('export', [], { token: '' }).then(setFormats, () => setFormats([]));
  }, [kernel]);
  React.useEffect(() => {
    let isLate = false;
    kernel.link.ask<string[]>('export', [format], { token: '--from' }).then(
      found => isLate || setTakesBase(found.includes('--from')),
      () => undefined
    );
    return () => {
      isLate = true;
    };
  }, [kernel, format]);
  const words = [format, ...(takesBase && base ? ['--from', base] : [])];
  const { shown, problem } = useExport(kernel, words);
  const name = file ?? shown?.name ?? '';
  const save = [...words, '--output', name];
  return (
    <>
      <Field
        label={trans.__('Format')}
        value={format}
        onChange={value => {
          setFormat(value);
          setFile(null);
        }}
        options={(formats.length ? formats : [format]).map(value => ({ value }))}
      />
      {takesBase && (
        <Field
          label={trans.__('Base image')}
          value={base}
          onChange={setBase}
          placeholder={kernel.info?.host.image ?? ''}
        />
      )}
      {problem && <Problem problem={problem} />}
      {shown && (
        <>
          <pre className="jp-jstackmagic-preview" tabIndex={0} aria-label={trans.__('Preview of %1', format)} role="region">
            {shown.text}
          </pre>
          {shown.notes.map((note, at) => (
            <p key={at}>{note}</p>
          ))}
          <Field label={trans.__('File')} value={name} onChange={setFile} />
          {name && <Line text={lineOf('export', save)} trans={trans} />}
          <div className="jp-jstackmagic-buttons">
            <button
              className="jp-mod-styled jp-mod-accept"
              disabled={!name}
              onClick={() => void kernel.run('export', save, model.notebook!)}
            >
              {trans.__('Save')}
            </button>
          </div>
        </>
      )}
    </>
  );
}

/** The text of an export, asked for again after each change. */
function useExport(kernel: KernelModel, words: string[]) {
  const [shown, setShown] = React.useState<IExport | null>(null);
  const [problem, setProblem] = React.useState<IProblem | null>(null);
  const line = lineOf('export', words);
  React.useEffect(() => {
    let isLate = false;
    const timer = setTimeout(async () => {
      try {
        const found = await kernel.link.ask<IExport>('export', words);
        if (!isLate) {
          setShown(found);
          setProblem(null);
        }
      } catch (error) {
        if (error instanceof VerbError) {
          if (!isLate) {
            setShown(null);
            setProblem(error.parts);
          }
        } else if (!(error instanceof Gone)) {
          throw error;
        }
      }
    }, 200);
    return () => {
      isLate = true;
      clearTimeout(timer);
    };
  }, [kernel, line, kernel.history]);
  return { shown, problem };
}

function Push({ kernel, model, trans }: ITabProps) {
  const [image, setImage] = React.useState('');
  const [base, setBase] = React.useState('');
  const words = ['push', ...(base ? ['--from', base] : []), image];
  return (
    <Fold title={trans.__('Push an image')}>
      <Field
        label={trans.__('Image')}
        value={image}
        onChange={setImage}
        placeholder="registry.example.com/team/analysis:1"
      />
      <Field
        label={trans.__('On top of')}
        value={base}
        onChange={setBase}
        placeholder={kernel.info?.host.image ?? ''}
      />
      {image && <Line text={lineOf('image', words)} trans={trans} />}
      <div className="jp-jstackmagic-buttons">
        <button
          className="jp-mod-styled"
          disabled={!image}
          onClick={() => void kernel.run('image', [...words, '--dry-run'], model.notebook!)}
        >
          {trans.__('Show what would be sent')}
        </button>
        <button
          className="jp-mod-styled jp-mod-accept"
          disabled={!image}
          onClick={() => void kernel.run('image', words, model.notebook!)}
        >
          {trans.__('Push')}
        </button>
      </div>
    </Fold>
  );
}

function Ask({ kernel, model, trans }: ITabProps) {
  const [spec, setSpec] = React.useState('');
  const [why, setWhy] = React.useState('');
  const [asked, setAsked] = React.useState<IAsked[]>([]);
  React.useEffect(() => {
    kernel.link.ask<IAsked[]>('request', []).then(setAsked, () => undefined);
  }, [kernel, kernel.history]);
  const words = [spec, '--why', why];
  return (
    <Fold title={trans.__('Ask the administrator')}>
      {asked.length > 0 && (
        <Table caption={trans.__('Asked for')} columns={[trans.__('Package'), trans.__('State')]}>
          {asked.map((each, at) => (
            <tr key={at} title={each.why}>
              <td>{each.package}</td>
              <td>{each.state}</td>
            </tr>
          ))}
        </Table>
      )}
      <Field label={trans.__('Package')} value={spec} onChange={setSpec} placeholder="apt:libgl1" />
      <Field label={trans.__('Why')} value={why} onChange={setWhy} />
      {spec && <Line text={lineOf('request', words)} trans={trans} />}
      <div className="jp-jstackmagic-buttons">
        <button
          className="jp-mod-styled jp-mod-accept"
          disabled={!spec}
          onClick={() => void kernel.run('request', words, model.notebook!)}
        >
          {trans.__('Ask')}
        </button>
      </div>
    </Fold>
  );
}

function Fold(props: { title: string; children: React.ReactNode }) {
  return (
    <details>
      <summary>{props.title}</summary>
      {props.children}
    </details>
  );
}
