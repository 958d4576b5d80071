//! The fields of a segment (T.81 B.2).

use super::{
    Cursor, DefectKind, Depth, Facts, Jpeg, Progress, State,
    frame::{Frame, Process},
    marker::Marker,
    part::{Need, Next, Part, is_prefix_code, read_bytes, took},
    walker,
};

/// A segment whose length is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// The offset of its marker.
    at: u64,
    /// Bytes of it to come.
    left: u16,
    part: Part,
}

impl Jpeg {
    /// Begins a segment of `left` bytes after its length.
    pub(super) fn open(&mut self, marker: Marker, at: u64, left: u16, facts: &mut Facts) {
        let mut part = Part::first(marker, self.depth);
        match marker {
            Marker::Frame(_) if self.frame.is_some() => {
                return self.fail(DefectKind::JpegSecondFrame, at, facts);
            }
            // Without components the header cannot be interpreted, but its length is known.
            Marker::Scan if self.frame.is_none() => {
                facts.defect(DefectKind::JpegNoFrame, at);
                part = Part::Rest;
            }
            _ => {}
        }
        self.go_on(Segment { at, left, part }, part, facts);
    }

    /// Continues with the next part of a segment, or after its end.
    fn go_on(&mut self, segment: Segment, part: Part, facts: &mut Facts) {
        let Segment { at, left, .. } = segment;
        let wanted = match part.need() {
            Need::Field(bytes) => bytes,
            // These are read as they arrive, so one byte is enough to continue.
            Need::Bytes(bytes) => bytes.min(1),
            Need::Rest => 0,
        };
        let part = if left >= wanted {
            part
        } else if part.is_vital() {
            return self.fail(DefectKind::JpegSegmentLength, at, facts);
        } else {
            if matches!(part, Part::Adobe) {
                facts.defect(DefectKind::JpegShortAdobe, at);
            }
            // An empty table segment does no harm.
            if part.is_table() && !(left == 0 && part.begins_table()) {
                facts.defect(DefectKind::JpegSegmentLength, at);
            }
            Part::Rest
        };
        self.state = if left == 0 {
            State::Marker { fill: false }
        } else {
            State::Segment(Segment { at, left, part })
        };
    }

    pub(super) fn read_segment(
        &mut self,
        segment: Segment,
        cursor: &mut Cursor<'_>,
        facts: &mut Facts,
    ) {
        let Segment { at, left, part } = segment;
        match part.need() {
            Need::Rest => {
                let skipped = took(cursor.take(u64::from(left)));
                let left = left.saturating_sub(skipped);
                self.go_on(Segment { left, ..segment }, part, facts);
            }
            Need::Bytes(most) => {
                let bytes = cursor.take(u64::from(most.min(left)));
                let left = left.saturating_sub(took(bytes));
                let next = self.take_bytes(part, bytes, at, facts);
                self.follow(Segment { left, ..segment }, next, facts);
            }
            Need::Field(bytes) => {
                let Some(field) = self.gather.fill(cursor, usize::from(bytes)) else {
                    return;
                };
                let left = left.saturating_sub(bytes);
                let next = self.take_field(part, &field, at, facts);
                self.follow(Segment { left, ..segment }, next, facts);
            }
        }
    }

    fn follow(&mut self, segment: Segment, next: Result<Next, DefectKind>, facts: &mut Facts) {
        match next {
            // Without a frame or scan header the coded data has no meaning. A malformed table is
            // skipped by its segment's length.
            Err(kind) if segment.part.is_vital() => self.fail(kind, segment.at, facts),
            Err(kind) => {
                facts.defect(kind, segment.at);
                self.go_on(segment, Part::Rest, facts);
            }
            Ok(_) if matches!(self.state, State::Over(_)) => {}
            Ok(Next::Part(part)) => self.go_on(segment, part, facts),
            Ok(Next::End) => {
                if segment.left > 0 {
                    facts.defect(DefectKind::JpegSegmentExcess, segment.at);
                }
                self.go_on(segment, Part::Rest, facts);
            }
            Ok(Next::Coded) => {
                if segment.left > 0 {
                    facts.defect(DefectKind::JpegSegmentExcess, segment.at);
                }
                self.begin_scan(segment.at, facts);
            }
        }
    }

    /// Reads bytes of a part that is not gathered.
    pub(super) fn take_bytes(
        &mut self,
        part: Part,
        bytes: &[u8],
        at: u64,
        facts: &mut Facts,
    ) -> Result<Next, DefectKind> {
        let next = read_bytes(part, bytes, at, facts);
        if let (Part::HuffmanSymbols { .. }, Some(payload)) = (part, walker(&mut self.payload)) {
            match next {
                Ok(_) => payload.tables().symbols(bytes),
                // All of it: which part is kept would depend on the division into chunks.
                Err(_) => payload.tables().forget(),
            }
        }
        next
    }

    pub(super) fn take_field(
        &mut self,
        part: Part,
        field: &[u8; super::FIELD],
        at: u64,
        facts: &mut Facts,
    ) -> Result<Next, DefectKind> {
        Ok(match part {
            Part::Jfif => {
                self.app.take_app0(field);
                Next::Part(Part::Rest)
            }
            Part::Exif(mut exif) => {
                let found = exif.take(field);
                facts.orientation = facts.orientation.or(found);
                Next::Part(Part::Exif(exif))
            }
            Part::MultiPicture => {
                self.app.multi_picture |= field.starts_with(b"MPF\0");
                Next::Part(Part::Rest)
            }
            Part::Adobe => {
                self.app.take_adobe(field);
                Next::Part(Part::Rest)
            }
            Part::FrameHead(process) => {
                let frame = Frame::new(process, head_of(field));
                facts.dimensions = facts.dimensions.or(frame.dimensions());
                frame.check()?;
                self.frame = Some(frame);
                Next::Part(Part::FrameComponent(0))
            }
            Part::FrameComponent(index) => self.frame_component(index, field, at, facts)?,
            Part::Hierarchy => {
                self.hierarchy(field, at, facts);
                Next::Part(Part::Rest)
            }
            Part::QuantizationHead => {
                let [head, ..] = *field;
                Next::Part(self.quantization_head(head)?)
            }
            Part::HuffmanHead => {
                #[cfg(feature = "decode")]
                if self.depth == Depth::Decode {
                    facts.effort.table();
                }
                self.huffman_head(field)?
            }
            Part::RestartInterval => {
                let [high, low, ..] = *field;
                self.restart_interval = u16::from_be_bytes([high, low]);
                Next::End
            }
            Part::Lines => {
                let [high, low, ..] = *field;
                self.lines(u16::from_be_bytes([high, low]), at, facts)
            }
            Part::ScanHead => {
                let [count, ..] = *field;
                self.scan_head(count)?
            }
            Part::ScanComponent(index) => {
                let [id, tables, ..] = *field;
                self.scan_component(index, id, tables)?
            }
            Part::ScanTail => {
                let [start, end, approximation, ..] = *field;
                self.scan_tail([start, end, approximation], at, facts)?;
                Next::Coded
            }
            Part::Rest | Part::QuantizationValues { .. } | Part::HuffmanSymbols { .. } => {
                Next::Part(Part::Rest)
            }
        })
    }

    fn frame_component(
        &mut self,
        index: u8,
        field: &[u8; super::FIELD],
        at: u64,
        facts: &mut Facts,
    ) -> Result<Next, DefectKind> {
        let Some(frame) = &mut self.frame else {
            return Ok(Next::End);
        };
        let [id, sampling, quantization, ..] = *field;
        frame.set_component(index, [id, sampling, quantization])?;
        let next = index.saturating_add(1);
        if next < frame.count {
            return Ok(Next::Part(Part::FrameComponent(next)));
        }
        self.state_frame(at, facts);
        Ok(Next::End)
    }

    /// Records the frame's properties other than its size. Its marker is at `at`.
    pub(super) fn state_frame(&mut self, at: u64, facts: &mut Facts) {
        let Some(frame) = &self.frame else { return };
        facts.bit_depth = facts.bit_depth.or(Some(frame.precision));
        facts.color = facts.color.or(frame.color(self.app));
        facts.frames = 1;
        facts.frames_final = true;
        if let Some(kind) = frame.fault() {
            facts.defect(kind, at);
        }
        if self.depth == Depth::Header && facts.dimensions.is_some() {
            self.state = State::Over(Progress::Done);
        }
    }

    /// A hierarchy of frames (T.81 annex J): its size is stated, what follows is not walked.
    fn hierarchy(&mut self, field: &[u8; super::FIELD], at: u64, facts: &mut Facts) {
        let process = Process::of_marker(0xC5);
        let frame = Frame::new(process, head_of(field));
        facts.dimensions = facts.dimensions.or(frame.dimensions());
        facts.defect(DefectKind::JpegUnsupportedProcess, at);
        self.state = State::Over(Progress::Failed);
    }

    pub(super) fn quantization_head(&mut self, head: u8) -> Result<Part, DefectKind> {
        let (precision, number) = (head >> 4, head & 15);
        if precision > 1 || number > 3 {
            return Err(DefectKind::JpegQuantizationTable);
        }
        self.tables.quantization |= 1 << number;
        Ok(Part::QuantizationValues {
            left: if precision == 0 { 64 } else { 128 },
            wide: precision == 1,
            high: None,
        })
    }

    pub(super) fn huffman_head(&mut self, field: &[u8; super::FIELD]) -> Result<Next, DefectKind> {
        let [head, counts @ ..] = field;
        let (class, number) = (head >> 4, head & 15);
        let symbols = counts.iter().map(|count| u16::from(*count)).sum();
        // Each counts as malformed in libjpeg too: more symbols than byte values, or codes that do
        // not fit in their length.
        if class > 1 || number > 3 || symbols > 256 || !is_prefix_code(counts) {
            return Err(DefectKind::JpegHuffmanTable);
        }
        let dc = class == 0;
        if let Some(payload) = walker(&mut self.payload) {
            payload.tables().define(dc, number, *counts);
        }
        if dc {
            self.tables.dc |= 1 << number;
        } else {
            self.tables.ac |= 1 << number;
        }
        Ok(if symbols == 0 {
            Next::Part(Part::HuffmanHead)
        } else {
            Next::Part(Part::HuffmanSymbols { left: symbols, dc })
        })
    }

    /// The number of lines, which a frame that did not know it states after its first scan
    /// (T.81 B.2.5).
    fn lines(&mut self, lines: u16, at: u64, facts: &mut Facts) -> Next {
        match &mut self.frame {
            Some(frame) if frame.height == 0 && lines > 0 => {
                frame.height = lines;
                facts.dimensions = facts.dimensions.or(frame.dimensions());
                facts.defect(DefectKind::JpegLateHeight, at);
            }
            Some(_) if self.scans > 0 => {
                facts.defect(DefectKind::JpegRepeatedHeight, at);
                return Next::Part(Part::Rest);
            }
            _ => return Next::Part(Part::Rest),
        }
        if self.depth == Depth::Header {
            self.state = State::Over(Progress::Done);
        }
        Next::End
    }
}

/// The first six bytes of a field.
fn head_of(field: &[u8; super::FIELD]) -> [u8; 6] {
    field.first_chunk().copied().unwrap_or_default()
}
