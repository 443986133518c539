# SPDX-License-Identifier: MIT
# What the benchmark's points say: medians over the rounds, ratios against references, tables, JSON.
# A run is what tests/bench/guest.sh left for one workload in one boot: points, plan, settings, fio/.
package Analysis;
use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
our @EXPORT_OK = qw(median parse_workload size_of read_fio read_run summarize table reference_of human
	results_json copies_of);

# A candidate is compared with the kernel's own answer to the same need, and with our plain copy path.
my %reference = (null => 'null_blk', file => 'loop-direct', mem => 'loop-tmpfs');

# Times that a byte is copied in memory between the application's pages and the backing, by the
# construction of each data path; nothing here is measured. A RAM disk's own copy counts for nobody.
my %copies = (
	'copy'         => { null => 1, file => 1, mem => 2 },
	'auto-buf-reg' => { null => 1, file => 0 },
	'null_blk'     => { null => 0 },
	'loop-direct'  => { file => 0 },
	'loop-buffered' => { file => 1 },
	'loop-tmpfs'   => { mem  => 1 },
	'brd'          => { mem  => 1 },
	'bare'         => { file => 0 },
	'nbd'          => { null => 2, file => 3, mem => 3 },
);

sub copies_of {
	my ($candidate, $target) = @_;
	$candidate =~ s/\@.*//;
	return $copies{$candidate}{$target};
}

sub reference_of { return $reference{ $_[0] } }

sub median {
	my @v = sort { $a <=> $b } grep { defined } @_;
	return undef unless @v;
	my $mid = int(@v / 2);
	return @v % 2 ? $v[$mid] : ($v[ $mid - 1 ] + $v[$mid]) / 2;
}

sub size_of {
	my ($number, $unit) = $_[0] =~ /^(\d+)([km]?)$/ or return undef;
	return $number * ($unit eq 'k' ? 1024 : $unit eq 'm' ? 1048576 : 1);
}

# TARGET-BLOCK-PATTERN-dDEPTH[-jJOBS][-qQUEUES]
sub parse_workload {
	my ($name) = @_;
	my ($target, $bs, $pattern, @rest) = split /-/, $name;
	my %w = (name => $name, target => $target, block => size_of($bs), block_name => $bs,
		pattern => $pattern, depth => 1, jobs => 1, queues => 1);
	my %key = (d => 'depth', j => 'jobs', q => 'queues');
	for (@rest) {
		$w{ $key{$1} } = $2 + 0 if /^([djq])(\d+)$/;
	}
	return \%w;
}

# What one run of fio measured: one group, reads and writes together. Latencies are in microseconds,
# from submission to completion as the application sees it.
sub read_fio {
	my ($text) = @_;
	$text =~ s/^[^{]*//;    # warnings come before the document
	my $doc = JSON::PP->new->utf8->decode($text);
	my $m = $doc->{jobs}[0]{mixed} or die "fio's output has no job\n";
	my $lat = $m->{lat_ns};
	my $pct = $lat->{percentile} || {};
	my %p = (
		iops => $m->{iops}, bandwidth => $m->{bw_bytes},
		mean_us => $lat->{mean} / 1000,
		ios => $m->{total_ios},
		submitter_cpu => ($doc->{jobs}[0]{usr_cpu} + $doc->{jobs}[0]{sys_cpu}) / 100,
		bins => $lat->{bins} || {},
	);
	for my $q (50, 99) {
		my ($key) = grep { $_ == $q } keys %$pct;
		$p{"p${q}_us"} = $pct->{$key} / 1000 if defined $key;
	}
	return \%p;
}

sub slurp {
	my ($file) = @_;
	open my $f, '<', $file or return undef;
	local $/;
	return scalar <$f>;
}

# All points of one workload in one boot.
sub read_run {
	my ($dir) = @_;
	my %run = (points => {}, skipped => {}, order => [], settings => {});
	my $text = slurp("$dir/points") // die "$dir/points: $!\n";
	for (split /\n/, slurp("$dir/plan") // '') {
		my ($w, $c) = split;
		$run{workload} = parse_workload($w);
		push @{ $run{order} }, $c;
	}
	%{ $run{settings} } = (slurp("$dir/settings") // '') =~ /(\w+)=(\S+)/g;
	chomp($run{machine} = slurp("$dir/machine") // 'unknown');
	$run{label} = $1 if $dir =~ m{([^/]+)/[^/]+/*$};
	for (split /\n/, $text) {
		if (/^(kernel|cpus|fio) (.*)/) {
			$run{$1} = $2;
		} elsif (/^skip \S+ (\S+) (.*)/) {
			$run{skipped}{$1} = $2;
		} elsif (/^point (\S+) (\S+) (\d+)(.*)/) {
			my ($w, $c, $round, $rest) = ($1, $2, $3, $4);
			my %extra = $rest =~ /(\w+)=(\S+)/g;
			my $json = slurp("$dir/fio/$w.$c.$round.json");
			my $p = eval { read_fio($json // '') };
			if (!$p) {
				$run{skipped}{$c} //= "fio's output of round $round cannot be read";
				next;
			}
			my $ios = defined $extra{sectors} ? $extra{sectors} * 512 / $run{workload}{block} : undef;
			$p->{server_us} = $extra{cpu_ns} / $ios / 1000 if $ios && defined $extra{cpu_ns};
			$p->{enters} = $extra{enters_per_io} + 0 if defined $extra{enters_per_io};
			push @{ $run{points}{$c} }, $p;
		}
	}
	return \%run;
}

my @measures = qw(iops bandwidth mean_us p50_us p99_us server_us enters submitter_cpu);

# The medians of each candidate, their spread, and the ratios of IOPS.
sub summarize {
	my ($run) = @_;
	my @rows;
	for my $c (@{ $run->{order} }) {
		my $points = $run->{points}{$c};
		if (!$points) {
			push @rows, { name => $c, skipped => $run->{skipped}{$c} // 'not run' };
			next;
		}
		my %row = (name => $c, rounds => scalar @$points);
		for my $m (@measures) {
			$row{$m} = median(map { $_->{$m} } @$points);
		}
		my @iops = sort { $a <=> $b } map { $_->{iops} } @$points;
		$row{spread} = $row{iops} ? ($iops[-1] - $iops[0]) / $row{iops} : undef;
		my %bins;
		for my $p (@$points) {
			$bins{$_} += $p->{bins}{$_} for keys %{ $p->{bins} };
		}
		$row{bins} = \%bins;
		$row{copies} = copies_of($c, $run->{workload}{target});
		push @rows, \%row;
	}
	my ($ref) = grep { $_->{name} eq (reference_of($run->{workload}{target}) // '') } @rows;
	my ($copy) = grep { $_->{name} eq 'copy' } @rows;
	for my $row (@rows) {
		next if $row->{skipped};
		$row->{vs_reference} = $row->{iops} / $ref->{iops} if $ref && $ref->{iops};
		$row->{vs_copy} = $row->{iops} / $copy->{iops} if $copy && $copy->{iops};
		$row->{server_vs_copy} = $row->{server_us} / $copy->{server_us}
			if $copy && $copy->{server_us} && defined $row->{server_us};
	}
	return \@rows;
}

sub human {
	my ($n) = @_;
	return '-' unless defined $n;
	return sprintf '%.1fM', $n / 1e6 if $n >= 1e6;
	return sprintf '%.1fk', $n / 1e3 if $n >= 1e4;
	return sprintf '%.0f', $n if $n >= 100;
	return sprintf '%.1f', $n;
}

sub cell { return defined $_[1] ? sprintf($_[0], $_[1]) : '-' }

# One workload as a table for people, ratios first.
sub table {
	my ($run, $rows) = @_;
	my $ref = reference_of($run->{workload}{target});
	my @head = ('candidate', "x $ref", 'x copy', 'IOPS', 'MB/s', 'mean us', 'p50 us', 'p99 us', 'server us/io',
		'x copy', 'enters/io', 'copies', 'spread');
	my @lines = (\@head);
	for my $r (grep { !$_->{skipped} } @$rows) {
		push @lines, [
			$r->{name}, cell('%.2f', $r->{vs_reference}), cell('%.2f', $r->{vs_copy}), human($r->{iops}),
			human($r->{bandwidth} / 1e6), human($r->{mean_us}), human($r->{p50_us}), human($r->{p99_us}),
			cell('%.2f', $r->{server_us}), cell('%.2f', $r->{server_vs_copy}), cell('%.3f', $r->{enters}),
			cell('%d', $r->{copies}), cell('%.0f%%', defined $r->{spread} ? 100 * $r->{spread} : undef)
		];
	}
	my @width;
	for my $l (@lines) {
		for my $i (0 .. $#$l) {
			$width[$i] = length $l->[$i] if !$width[$i] || length $l->[$i] > $width[$i];
		}
	}
	my $out = sprintf "%s, Linux %s (%s), %d rounds of %s ms, fio %s\n", $run->{workload}{name},
		$run->{kernel} // '?', $run->{label} // '?', $run->{settings}{rounds} // 0,
		$run->{settings}{runtime_ms} // '?', $run->{settings}{engine} // '?';
	for my $l (@lines) {
		$out .= sprintf '  %-*s', $width[0], $l->[0];
		$out .= sprintf '  %*s', $width[$_], $l->[$_] for 1 .. $#$l;
		$out .= "\n";
	}
	$out .= "  left out: $_->{name}: $_->{skipped}\n" for grep { $_->{skipped} } @$rows;
	return $out;
}

# Everything, for programs: one object per workload and kernel.
sub results_json {
	my ($results) = @_;
	my @list;
	for my $r (@$results) {
		my ($run, $rows) = @$r;
		my @candidates = map {
			my %row = %$_;
			delete $row{bins};
			\%row;
		} @$rows;
		push @list, {
			workload => $run->{workload}, kernel => $run->{kernel}, label => $run->{label},
			machine => $run->{machine}, cpus => $run->{cpus}, fio => $run->{fio},
			settings => $run->{settings}, reference => reference_of($run->{workload}{target}),
			candidates => \@candidates
		};
	}
	return JSON::PP->new->canonical->pretty->indent_length(1)->encode({ ublk_benchmark => '1', results => \@list });
}

1;
